// SPDX-License-Identifier: Apache-2.0
// Sum or product, element by element, of a stream and a constant or of two streams.
#pragma once

#include "qnnc_types.h"

namespace qnnc {

struct sum_of {
  template <class Y, class A, class B> static typename Y::value of(A a, B b) {
#pragma HLS INLINE
    return (typename Y::value)(typename Y::value(a) + typename Y::value(b));
  }
};
struct product_of {
  template <class Y, class A, class B> static typename Y::value of(A a, B b) {
#pragma HLS INLINE
    return (typename Y::value)(typename Y::value(a) * typename Y::value(b));
  }
};

// Element types X (inputs), C (constants), Y (outputs); ROWS is the words of a vector, or 1 where
// one constant serves all.
template <class OPERATION, class X, class C, class Y, int WORDS, int PE, int ROWS>
struct elementwise_constant {
  typedef word_t<C, PE> row;
  typedef word<C, PE> row_word;

  static void run(stream<word_t<X, PE> > &in, stream<word_t<Y, PE> > &out,
                  const row table[ROWS]) {
    int fold = 0;
    for (int i = 0; i < WORDS; i++) {
#pragma HLS PIPELINE II = 1
      const word_t<X, PE> x = in.read();
      typename Y::value y[PE];
#pragma HLS ARRAY_PARTITION variable = y complete
      for (int pe = 0; pe < PE; pe++) {
#pragma HLS UNROLL
        y[pe] = OPERATION::template of<Y>(word<X, PE>::get(x, pe),
                                          word<C, PE>::get(table[fold], pe));
      }
      out.write(word<Y, PE>::pack(y));
      fold = fold + 1 == ROWS ? 0 : fold + 1;
    }
  }
};

// Element types X and Z (inputs), Y (outputs).
template <class OPERATION, class X, class Z, class Y, int WORDS, int PE> struct elementwise {
  static void run(stream<word_t<X, PE> > &in, stream<word_t<Z, PE> > &other,
                  stream<word_t<Y, PE> > &out) {
    for (int i = 0; i < WORDS; i++) {
#pragma HLS PIPELINE II = 1
      const word_t<X, PE> x = in.read();
      const word_t<Z, PE> z = other.read();
      typename Y::value y[PE];
#pragma HLS ARRAY_PARTITION variable = y complete
      for (int pe = 0; pe < PE; pe++) {
#pragma HLS UNROLL
        y[pe] = OPERATION::template of<Y>(word<X, PE>::get(x, pe), word<Z, PE>::get(z, pe));
      }
      out.write(word<Y, PE>::pack(y));
    }
  }
};

}  // namespace qnnc
