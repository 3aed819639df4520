// SPDX-License-Identifier: Apache-2.0
// A stream of vectors times matrices that come as a stream too, each for ROWS vectors.
#pragma once

#include "qnnc_types.h"

namespace qnnc {

// Element types X (inputs), W (weights), Y (outputs). A matrix comes as the MW inputs of output
// 0, then of output 1 and so on, SIMD to a word, if TRANSPOSED; else as the MH outputs' weights of
// input 0, then of input 1, PE to a word.
template <class X, class W, class Y, int MW, int MH, int SIMD, int PE, int ROWS, int MATRICES,
          bool TRANSPOSED, bool DSP>
struct dynamic_mvau {
  typedef product<X, W, Y, SIMD, false, DSP> lane;
  typedef typename lane::weights weights;
  static const int steps = MW / SIMD;
  static const int passes = MH / PE;
  static const int lanes = TRANSPOSED ? SIMD : PE;
  typedef word_t<W, lanes> matrix_word;

  static void run(stream<word_t<X, SIMD> > &in, stream<matrix_word> &matrix,
                  stream<word_t<Y, PE> > &out) {
    for (int m = 0; m < MATRICES; m++) {
#pragma HLS DATAFLOW
      QNNC_ARRAY(weights, table, steps * passes * PE);
#pragma HLS ARRAY_PARTITION variable = table cyclic factor = PE
      take(matrix, table);
      multiply_all(in, table, out);
    }
  }

  static void take(stream<matrix_word> &matrix, weights table[steps * passes * PE]) {
    for (int i = 0; i < steps * passes * PE * SIMD / lanes; i++) {
#pragma HLS PIPELINE II = 1
      const matrix_word w = matrix.read();
      if (TRANSPOSED) {  // step i % steps of output i / steps
        const int output = i / steps, step = i % steps;
        weights &place = table[((output / PE) * steps + step) * PE + output % PE];
        place = lane::weight_word::blank();
        for (int s = 0; s < SIMD; s++) {
#pragma HLS UNROLL
          lane::weight_word::set(place, s, word<W, lanes>::get(w, s));
        }
      } else {  // pass i % passes of input i / passes
        const int input = i / passes, pass = i % passes;
        for (int pe = 0; pe < PE; pe++) {
#pragma HLS UNROLL
          weights &place = table[(pass * steps + input / SIMD) * PE + pe];
          if (input % SIMD == 0) place = lane::weight_word::blank();
          lane::weight_word::set(place, input % SIMD, word<W, lanes>::get(w, pe));
        }
      }
    }
  }

  static void multiply_all(stream<word_t<X, SIMD> > &in,
                           const weights table[steps * passes * PE],
                           stream<word_t<Y, PE> > &out) {
    typename lane::operand kept[steps];
    typename lane::sum sums[PE];
#pragma HLS ARRAY_PARTITION variable = sums complete
    int step = 0, pass = 0;
    for (int i = 0; i < ROWS * passes * steps; i++) {
#pragma HLS PIPELINE II = 1
      if (pass == 0) kept[step] = lane::prepare(in.read());
      const typename lane::operand &x = kept[step];
      for (int pe = 0; pe < PE; pe++) {
#pragma HLS UNROLL
        const typename lane::sum part = lane::dot(x, table[(pass * steps + step) * PE + pe]);
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
