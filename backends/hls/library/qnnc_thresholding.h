// SPDX-License-Identifier: Apache-2.0
// An activation as a count of thresholds reached, or a value looked up by that count.
#pragma once

#include "qnnc_types.h"

namespace qnnc {

// Element types X (inputs), T (thresholds), Y (outputs). ROWS is CHANNELS / PE, or 1 where all
// channels share their thresholds; the output is BASE plus the count.
template <class X, class T, class Y, int CHANNELS, int PE, int STEPS, int ROWS, int BASE,
          int VECTORS>
struct thresholding {
  typedef thresholds<X, T, PE, STEPS> search;
  typedef typename search::row row;
  typedef typename search::row_word row_word;

  static void run(stream<word_t<X, PE> > &in, stream<word_t<Y, PE> > &out,
                  const row table[ROWS][STEPS]) {
    int fold = 0;
    for (int i = 0; i < VECTORS * (CHANNELS / PE); i++) {
#pragma HLS PIPELINE II = 1
      const word_t<X, PE> x = in.read();
      typename search::count reached[PE];
#pragma HLS ARRAY_PARTITION variable = reached complete
      search::reached(x, table[fold], reached);
      typename Y::value y[PE];
#pragma HLS ARRAY_PARTITION variable = y complete
      for (int pe = 0; pe < PE; pe++) {
#pragma HLS UNROLL
        y[pe] = typename Y::value(BASE + int(reached[pe]));
      }
      out.write(word<Y, PE>::pack(y));
      fold = fold + 1 == ROWS ? 0 : fold + 1;
    }
  }
};

// For tails that are not monotone: `values` holds what each count stands for.
template <class X, class T, class Y, int CHANNELS, int PE, int STEPS, int ROWS, int VECTORS>
struct stepwise {
  typedef thresholds<X, T, PE, STEPS> search;
  typedef typename search::row row;
  typedef typename search::row_word row_word;
  typedef word_t<Y, PE> value_row;
  typedef word<Y, PE> value_row_word;

  static void run(stream<word_t<X, PE> > &in, stream<word_t<Y, PE> > &out,
                  const row table[ROWS][STEPS], const value_row values[ROWS][STEPS + 1]) {
    int fold = 0;
    for (int i = 0; i < VECTORS * (CHANNELS / PE); i++) {
#pragma HLS PIPELINE II = 1
      const word_t<X, PE> x = in.read();
      typename search::count reached[PE];
#pragma HLS ARRAY_PARTITION variable = reached complete
      search::reached(x, table[fold], reached);
      typename Y::value y[PE];
#pragma HLS ARRAY_PARTITION variable = y complete
      for (int pe = 0; pe < PE; pe++) {
#pragma HLS UNROLL
        y[pe] = word<Y, PE>::get(values[fold][int(reached[pe])], pe);
      }
      out.write(word<Y, PE>::pack(y));
      fold = fold + 1 == ROWS ? 0 : fold + 1;
    }
  }
};

}  // namespace qnnc
