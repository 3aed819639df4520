// SPDX-License-Identifier: Apache-2.0
// Codes of a softmax over vectors of codes, by tables of exponents and a division.
#pragma once

#include "qnnc_types.h"

namespace qnnc {

// Element types X (inputs), T (terms), S (scaled terms), Y (outputs). A code is
// floor((2 * scaled + ROUNDING * sum) / (2 * sum)), at most MOST, plus BASE.
template <class X, class T, class S, class Y, int CHANNELS, int PE, int VECTORS, int DISTANCES,
          int ROUNDING, int MOST, int BASE>
struct quant_softmax {
  typedef word_t<T, 1> term;
  typedef word<T, 1> term_word;
  typedef word_t<S, 1> scaled;
  typedef word<S, 1> scaled_word;
  static const int words = CHANNELS / PE;

  static void run(stream<word_t<X, PE> > &in, stream<word_t<Y, PE> > &out,
                  const term terms[DISTANCES], const scaled numerators[DISTANCES]) {
    for (int vector = 0; vector < VECTORS; vector++) {
#pragma HLS DATAFLOW
      QNNC_ARRAY(int32_t, codes, CHANNELS);
      const int32_t top = take(in, codes);
      give(codes, top, out, terms, numerators);
    }
  }

  static int32_t take(stream<word_t<X, PE> > &in, int32_t codes[CHANNELS]) {
    int32_t top = 0;
    for (int i = 0; i < words; i++) {
#pragma HLS PIPELINE II = 1
      const word_t<X, PE> x = in.read();
      for (int pe = 0; pe < PE; pe++) {
#pragma HLS UNROLL
        const int32_t code = int32_t(word<X, PE>::get(x, pe));
        codes[i * PE + pe] = code;
        if ((i == 0 && pe == 0) || code > top) top = code;
      }
    }
    return top;
  }

  static void give(const int32_t codes[CHANNELS], int32_t top, stream<word_t<Y, PE> > &out,
                   const term terms[DISTANCES], const scaled numerators[DISTANCES]) {
    uint64_t sum = 0;
    for (int i = 0; i < CHANNELS; i++) {
#pragma HLS PIPELINE II = 1
      sum += uint64_t(word<T, 1>::get(terms[top - codes[i]], 0));
    }
    for (int i = 0; i < words; i++) {
#pragma HLS PIPELINE II = 1
      typename Y::value values[PE];
#pragma HLS ARRAY_PARTITION variable = values complete
      for (int pe = 0; pe < PE; pe++) {
#pragma HLS UNROLL
        const uint64_t above = word<S, 1>::get(numerators[top - codes[i * PE + pe]], 0);
        const uint64_t quotient = (2 * above + ROUNDING * sum) / (2 * sum);
        values[pe] = typename Y::value((quotient > MOST ? MOST : int(quotient)) + BASE);
      }
      out.write(word<Y, PE>::pack(values));
    }
  }
};

}  // namespace qnnc
