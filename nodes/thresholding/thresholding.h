// SPDX-License-Identifier: Apache-2.0
// An activation as a count of thresholds reached, or a value looked up by that count.
#pragma once

#include "qnnc_types.h"

namespace qnnc {

// The output is BASE plus the count.
template <class Y, int BASE> struct counted {
  static typename Y::value of(int count, int, int) {
#pragma HLS INLINE
    return typename Y::value(BASE + count);
  }
};

// For tails that are not monotone: `values` holds what each count stands for.
template <class Y, int PE> struct looked_up {
  typedef word_t<Y, PE> value_row;
  typedef word<Y, PE> value_row_word;

  template <int ROWS, int COUNTS>
  static typename Y::value of(int count, int row, int pe, const value_row (&values)[ROWS][COUNTS]) {
#pragma HLS INLINE
    return value_row_word::get(values[row][count], pe);
  }
};

// Element types X (inputs), T (thresholds), Y (outputs). ROWS is CHANNELS / PE, or 1 where all
// channels share their thresholds. OUTPUT, one of the above, makes the output of a count.
template <class X, class T, class Y, class OUTPUT, int CHANNELS, int PE, int STEPS, int ROWS,
          int VECTORS>
struct thresholding : OUTPUT {
  typedef thresholds<X, T, PE, STEPS> search;
  typedef typename search::row row;
  typedef typename search::row_word row_word;

  template <class... TABLES>
  static void run(stream<word_t<X, PE> > &in, stream<word_t<Y, PE> > &out,
                  const row table[ROWS][STEPS], const TABLES &... tables) {
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
        y[pe] = OUTPUT::of(int(reached[pe]), fold, pe, tables...);
      }
      out.write(word<Y, PE>::pack(y));
      fold = fold + 1 == ROWS ? 0 : fold + 1;
    }
  }
};

}  // namespace qnnc
