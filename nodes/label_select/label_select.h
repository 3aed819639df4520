// SPDX-License-Identifier: Apache-2.0
// Indices of the K largest scores, largest first, the lower index first among equals.
#pragma once

#include "qnnc_types.h"

namespace qnnc {

// Element types X (scores) and Y (indices); LANES scores per word, one index per word.
template <class X, class Y, int LABELS, int K, int LANES, int VECTORS> struct label_select {
  static void run(stream<word_t<X, LANES> > &in, stream<word_t<Y, 1> > &out) {
    typename X::value best[K];
    typename Y::value index[K];
    bool filled[K];
#pragma HLS ARRAY_PARTITION variable = best complete
#pragma HLS ARRAY_PARTITION variable = index complete
#pragma HLS ARRAY_PARTITION variable = filled complete
    for (int vector = 0; vector < VECTORS; vector++) {
      for (int k = 0; k < K; k++) {
#pragma HLS UNROLL
        best[k] = 0;
        index[k] = 0;
        filled[k] = false;
      }
      for (int i = 0; i < LABELS / LANES; i++) {
#pragma HLS PIPELINE II = LANES
        const word_t<X, LANES> x = in.read();
        for (int lane = 0; lane < LANES; lane++) {
          insert(best, index, filled, word<X, LANES>::get(x, lane), i * LANES + lane);
        }
      }
      for (int k = 0; k < K; k++) {
#pragma HLS PIPELINE II = 1
        word_t<Y, 1> y = blank<Y, 1>();
        word<Y, 1>::set(y, 0, index[k]);
        out.write(y);
      }
    }
  }

  // A newcomer goes before the first it exceeds; those after it move down one place.
  static void insert(typename X::value best[K], typename Y::value index[K], bool filled[K],
                     typename X::value score, int label) {
#pragma HLS INLINE
    bool above[K];
    for (int k = 0; k < K; k++) {
#pragma HLS UNROLL
      above[k] = !filled[k] || score > best[k];
    }
    for (int k = K - 1; k >= 0; k--) {
#pragma HLS UNROLL
      const int before = k > 0 ? k - 1 : 0;
      if (k > 0 && above[before]) {
        best[k] = best[before];
        index[k] = index[before];
        filled[k] = filled[before];
      } else if (above[k]) {
        best[k] = score;
        index[k] = typename Y::value(label);
        filled[k] = true;
      }
    }
  }
};

}  // namespace qnnc
