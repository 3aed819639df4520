// SPDX-License-Identifier: Apache-2.0
// Images that grow: a border of constant pixels, or zeros between pixels.
#pragma once

#include "qnnc_types.h"

namespace qnnc {

// An image of H x W pixels, WORDS words of SIMD elements each, in a frame of OH x OW pixels of
// VALUE, its corner at (TOP, LEFT).
template <class T, int SIMD, int WORDS, int H, int W, int TOP, int LEFT, int OH, int OW, int VALUE>
struct padding {
  static void run(stream<word_t<T, SIMD> > &in, stream<word_t<T, SIMD> > &out) {
    word_t<T, SIMD> filler = blank<T, SIMD>();
    for (int lane = 0; lane < SIMD; lane++) {
#pragma HLS UNROLL
      word<T, SIMD>::set(filler, lane, typename T::value(VALUE));
    }
    for (int row = 0; row < OH; row++) {
      for (int column = 0; column < OW; column++) {
        const bool inside =
            row >= TOP && row < TOP + H && column >= LEFT && column < LEFT + W;
        for (int i = 0; i < WORDS; i++) {
#pragma HLS PIPELINE II = 1
          if (inside)
            out.write(in.read());
          else
            out.write(filler);
        }
      }
    }
  }
};

// Zeros between the pixels of H x W, so that they lie DOWN rows and ACROSS columns apart.
template <class T, int SIMD, int WORDS, int H, int W, int DOWN, int ACROSS> struct spread {
  static void run(stream<word_t<T, SIMD> > &in, stream<word_t<T, SIMD> > &out) {
    word_t<T, SIMD> zero = blank<T, SIMD>();
    for (int lane = 0; lane < SIMD; lane++) {
#pragma HLS UNROLL
      word<T, SIMD>::set(zero, lane, typename T::value(0));
    }
    int down = 0;
    for (int row = 0; row < (H - 1) * DOWN + 1; row++) {
      int across = 0;
      for (int column = 0; column < (W - 1) * ACROSS + 1; column++) {
        for (int i = 0; i < WORDS; i++) {
#pragma HLS PIPELINE II = 1
          if (down == 0 && across == 0)
            out.write(in.read());
          else
            out.write(zero);
        }
        across = across + 1 == ACROSS ? 0 : across + 1;
      }
      down = down + 1 == DOWN ? 0 : down + 1;
    }
  }
};

}  // namespace qnnc
