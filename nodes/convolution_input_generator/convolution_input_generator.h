// SPDX-License-Identifier: Apache-2.0
// The windows of an image, one after another, from a ring buffer of the pixels still needed.
#pragma once

#include "qnnc_types.h"

namespace qnnc {

// Pixels of H x W, WORDS words of SIMD elements each, come row by row. Windows of KH x KW pixels,
// DH and DW apart, move SH rows and SW columns at a time. The ring holds CAPACITY pixels. In a
// cycle, a word is taken if there is one and room for it, and one is delivered if its window is complete.
template <class T, int SIMD, int WORDS, int H, int W, int KH, int KW, int SH, int SW, int DH,
          int DW, int CAPACITY>
struct windows {
  typedef word_t<T, SIMD> pixels;
  static const int rows = (H - (KH - 1) * DH - 1) / SH + 1;
  static const int columns = (W - (KW - 1) * DW - 1) / SW + 1;
  static const int span = (KH - 1) * DH * W + (KW - 1) * DW + 1;
  static const int depth = CAPACITY * WORDS;
  // Places in the ring from a word to the one that is given next: within a pixel, a line of the
  // window and the window; and from the first of a window to that of the next, and of the next row.
  static const int next_word = 1;
  static const int next_pixel = ((DW - 1) * WORDS + 1) % depth;
  static const int next_line = ((DH * W - (KW - 1) * DW - 1) * WORDS + 1) % depth;
  static const int next_window = SW * WORDS % depth;
  static const int next_row = (SH * W - (columns - 1) * SW) * WORDS % depth;

  static void run(stream<pixels> &in, stream<pixels> &out) {
    QNNC_ARRAY(pixels, ring, depth);
#pragma HLS DEPENDENCE variable = ring inter false
    int taken = 0, word_in = 0, write = 0;      // pixels that are whole, word of the next, place
    int corner = 0, first = 0;                  // the window's first pixel, its place in the ring
    int row = 0, column = 0;                    // of the window
    int kh = 0, kw = 0, word_out = 0;           // of the word that is given next
    int at = 0;                                 // its place in the ring
    bool given = false;
    while (!given || taken < H * W) {
#pragma HLS PIPELINE II = 1
      const bool give = !given && taken >= corner + span;
      // what no window will need finds room at once
      const bool room = taken < (given ? H * W : least(corner + CAPACITY, H * W));
      if (give) {
        out.write(ring[at]);
        int jump = next_word;
        bool window = false;
        if (++word_out == WORDS) {
          word_out = 0;
          jump = next_pixel;
          if (++kw == KW) {
            kw = 0;
            jump = next_line;
            if (++kh == KH) {
              kh = 0;
              window = true;
              const bool turn = ++column == columns;
              jump = turn ? next_row : next_window;
              corner += turn ? SH * W - (columns - 1) * SW : SW;
              if (turn) {
                column = 0;
                given = ++row == rows;
              }
            }
          }
        }
        at = around((window ? first : at) + jump);
        if (window) first = at;
      }
      if (room && !in.empty()) {
        ring[write] = in.read();
        write = write + 1 == depth ? 0 : write + 1;
        if (++word_in == WORDS) {
          word_in = 0;
          taken++;
        }
      }
    }
  }

  static int least(int a, int b) {
#pragma HLS INLINE
    return a < b ? a : b;
  }
  static int around(int place) {
#pragma HLS INLINE
    return place >= depth ? place - depth : place;
  }
};

}  // namespace qnnc
