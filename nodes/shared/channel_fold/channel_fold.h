// SPDX-License-Identifier: Apache-2.0
// Several vectors become one, channel by channel: maxima, sums, depthwise products.
#pragma once

#include "qnnc_types.h"

namespace qnnc {

// The greater of each lane's two elements.
template <class X, class Y, int PE> struct lanewise {
  static word_t<Y, PE> greatest(const word_t<Y, PE> &so_far, const word_t<X, PE> &x) {
#pragma HLS INLINE
    typename Y::value values[PE];
#pragma HLS ARRAY_PARTITION variable = values complete
    for (int pe = 0; pe < PE; pe++) {
#pragma HLS UNROLL
      const typename Y::value v = typename Y::value(word<X, PE>::get(x, pe));
      const typename Y::value old = word<Y, PE>::get(so_far, pe);
      values[pe] = old > v ? old : v;
    }
    return word<Y, PE>::pack(values);
  }
};

// Codes of one bit: the greater is their OR.
template <int PE> struct lanewise<integer<1, false>, integer<1, false>, PE> {
  typedef word_t<integer<1, false>, PE> bits;
  static bits greatest(const bits &so_far, const bits &x) {
#pragma HLS INLINE
    return so_far | x;
  }
};

struct greatest_of {
  template <class X, class Y, int PE>
  static word_t<Y, PE> of(const word_t<Y, PE> &so_far, const word_t<X, PE> &x, bool first) {
#pragma HLS INLINE
    return first ? recoded<X, Y, PE>::of(x) : lanewise<X, Y, PE>::greatest(so_far, x);
  }
};
struct total_of {
  template <class X, class Y, int PE>
  static word_t<Y, PE> of(const word_t<Y, PE> &so_far, const word_t<X, PE> &x, bool first) {
#pragma HLS INLINE
    typename Y::value values[PE];
#pragma HLS ARRAY_PARTITION variable = values complete
    for (int pe = 0; pe < PE; pe++) {
#pragma HLS UNROLL
      const typename Y::value v = typename Y::value(word<X, PE>::get(x, pe));
      values[pe] = first ? v : typename Y::value(word<Y, PE>::get(so_far, pe) + v);
    }
    return word<Y, PE>::pack(values);
  }
};

// RESULTS vectors, each of WINDOW vectors of GROUPS words of PE channels. Element types X (inputs)
// and Y (results).
template <class OPERATION, class X, class Y, int PE, int GROUPS, int WINDOW, int RESULTS>
struct channel_fold {
  static void run(stream<word_t<X, PE> > &in, stream<word_t<Y, PE> > &out) {
    typedef word_t<Y, PE> vector;
    QNNC_ARRAY(vector, kept, GROUPS);
    for (int result = 0; result < RESULTS; result++) {
      int element = 0, group = 0;
      for (int i = 0; i < WINDOW * GROUPS; i++) {
#pragma HLS PIPELINE II = 1
        kept[group] = OPERATION::template of<X, Y, PE>(kept[group], in.read(), element == 0);
        if (element == WINDOW - 1) out.write(kept[group]);
        if (++group == GROUPS) {
          group = 0;
          element++;
        }
      }
    }
  }
};

// A product for each element of the window and each channel. Element type W (weights). XNOR: both
// operands are codes of -1/+1, equal pairs count.
template <class X, class W, class Y, int PE, int GROUPS, int WINDOW, int RESULTS, bool XNOR,
          bool DSP>
struct vvau {
  typedef word_t<W, PE> weights;
  typedef word<W, PE> weights_word;
  typedef typename number<X::bits + W::bits + 2, true>::type one;

  static void run(stream<word_t<X, PE> > &in, stream<word_t<Y, PE> > &out,
                  const weights table[WINDOW * GROUPS]) {
    typename Y::value kept[GROUPS][PE];
#pragma HLS ARRAY_PARTITION variable = kept complete dim = 2
    for (int result = 0; result < RESULTS; result++) {
      int group = 0;
      for (int i = 0; i < WINDOW * GROUPS; i++) {
#pragma HLS PIPELINE II = 1
        const word_t<X, PE> x = in.read();
        const weights &w = table[i];
        for (int pe = 0; pe < PE; pe++) {
#pragma HLS UNROLL
          const typename X::value a = word<X, PE>::get(x, pe);
          const typename W::value b = word<W, PE>::get(w, pe);
          const one product = XNOR ? one(a == b ? 1 : 0) : multiply<DSP>::template of<one>(a, b);
          const typename Y::value before = i < GROUPS ? typename Y::value(0) : kept[group][pe];
          kept[group][pe] = typename Y::value(before + product);
        }
        if (i >= (WINDOW - 1) * GROUPS) out.write(word<Y, PE>::pack(kept[group]));
        group = group + 1 == GROUPS ? 0 : group + 1;
      }
    }
  }
};

}  // namespace qnnc
