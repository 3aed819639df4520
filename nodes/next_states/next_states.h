// SPDX-License-Identifier: Apache-2.0
// The states of a recurrence after each step: to those who use them, and back.
#pragma once

#include "qnnc_types.h"

namespace qnnc {

// A state of elements X, given on as elements Y.
template <class X, class Y, int LANES, int WORDS> struct next_state {
  static void run(stream<word_t<X, LANES> > &in, stream<word_t<Y, LANES> > &out,
                  stream<word_t<Y, LANES> > &back) {
    for (int i = 0; i < WORDS; i++) {
#pragma HLS PIPELINE II = 1
      const word_t<Y, LANES> y = recoded<X, Y, LANES>::of(in.read());
      out.write(y);
      back.write(y);
    }
  }
};

template <class A> struct next_states_1 {
  template <class IN, class OUT> static void run(IN &in, OUT &out, OUT &back) {
    A::run(in, out, back);
  }
};

template <class A, class B> struct next_states_2 {
  template <class IN_0, class IN_1, class OUT_0, class OUT_1>
  static void run(IN_0 &in_0, IN_1 &in_1, OUT_0 &out_0, OUT_1 &out_1, OUT_0 &back_0,
                  OUT_1 &back_1) {
#pragma HLS DATAFLOW
    A::run(in_0, out_0, back_0);
    B::run(in_1, out_1, back_1);
  }
};

}  // namespace qnnc
