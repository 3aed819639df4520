// SPDX-License-Identifier: Apache-2.0
// Streams as they are, and in words of another size.
#pragma once

#include "qnnc_types.h"

namespace qnnc {

template <class T, int LANES, int WORDS>
void copy(stream<word_t<T, LANES> > &in, stream<word_t<T, LANES> > &out) {
  for (int i = 0; i < WORDS; i++) {
#pragma HLS PIPELINE II = 1
    out.write(in.read());
  }
}

// Holds up to DEPTH words.
template <class T, int LANES, int WORDS, int DEPTH> struct fifo {
  static void run(stream<word_t<T, LANES> > &in, stream<word_t<T, LANES> > &out) {
#pragma HLS DATAFLOW
    stream<word_t<T, LANES> > held("held");
#pragma HLS STREAM variable = held depth = DEPTH
    copy<T, LANES, WORDS>(in, held);
    copy<T, LANES, WORDS>(held, out);
  }
};

// Words of IN elements become words of OUT elements by way of words of BETWEEN, their greatest
// common divisor; one of those per cycle.
template <class T, int IN, int OUT, int BETWEEN, int ELEMENTS> struct width_converter {
  static void run(stream<word_t<T, IN> > &in, stream<word_t<T, OUT> > &out) {
    word_t<T, IN> x = blank<T, IN>();
    word_t<T, OUT> y = blank<T, OUT>();
    int from = 0, to = 0;
    for (int i = 0; i < ELEMENTS / BETWEEN; i++) {
#pragma HLS PIPELINE II = 1
      if (from == 0) x = in.read();
      word<T, OUT>::template put<BETWEEN, IN>(y, to, x, from);
      from = from + BETWEEN == IN ? 0 : from + BETWEEN;
      to += BETWEEN;
      if (to == OUT) {
        out.write(y);
        to = 0;
      }
    }
  }
};

}  // namespace qnnc
