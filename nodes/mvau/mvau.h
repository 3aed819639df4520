// SPDX-License-Identifier: Apache-2.0
// A matrix times a stream of vectors: PE outputs at a time, SIMD inputs per step.
#pragma once

#include "qnnc_types.h"

namespace qnnc {

// Element types X (inputs), W (weights), Y (outputs). A pass over a vector takes MW / SIMD steps
// and gives PE outputs; the vector is kept from the first pass for the other MH / PE - 1.
template <class X, class W, class Y, int MW, int MH, int SIMD, int PE, int VECTORS, bool XNOR,
          bool DSP>
struct mvau {
  typedef product<X, W, Y, SIMD, XNOR, DSP> lane;
  typedef typename lane::weights weights;
  typedef typename lane::weight_word weights_word;
  static const int steps = MW / SIMD;
  static const int passes = MH / PE;

  static void run(stream<word_t<X, SIMD> > &in, stream<word_t<Y, PE> > &out,
                  const weights table[passes * steps][PE]) {
    typename lane::operand kept[steps];
    typename lane::sum sums[PE];
#pragma HLS ARRAY_PARTITION variable = sums complete
    int step = 0, pass = 0;
    for (int i = 0; i < VECTORS * passes * steps; i++) {
#pragma HLS PIPELINE II = 1
      if (pass == 0) kept[step] = lane::prepare(in.read());
      const typename lane::operand &x = kept[step];
      for (int pe = 0; pe < PE; pe++) {
#pragma HLS UNROLL
        const typename lane::sum part = lane::dot(x, table[pass * steps + step][pe]);
        sums[pe] = step == 0 ? part : typename lane::sum(sums[pe] + part);
      }
      if (++step == steps) {
        out.write(word<Y, PE>::pack(sums));
        step = 0;
        if (++pass == passes) pass = 0;
      }
    }
  }
};

}  // namespace qnnc
