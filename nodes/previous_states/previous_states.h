// SPDX-License-Identifier: Apache-2.0
// The states of a recurrence before each step: an initial one, then what comes back. The emulator
// runs it for one step at a time.
#pragma once

#include "qnnc_types.h"

namespace qnnc {

template <class W, int WORDS>
void previous_state(stream<W> &in, stream<W> &out, const W (&start)[WORDS], bool first) {
  for (int i = 0; i < WORDS; i++) {
#pragma HLS PIPELINE II = 1
    if (first)
      out.write(start[i]);
    else
      out.write(in.read());
  }
}

template <int STEPS, class A, int A_LANES, int A_WORDS> struct previous_states_1 {
  typedef word_t<A, A_LANES> start_0;
  typedef word<A, A_LANES> start_0_word;

  static void run(stream<start_0> &in, stream<start_0> &out, const start_0 (&start)[A_WORDS]) {
#if QNNC_HLS
    for (int t = 0; t < STEPS; t++) previous_state(in, out, start, t == 0);
#else
    previous_state(in, out, start, in.empty());
#endif
  }
};

template <int STEPS, class A, int A_LANES, int A_WORDS, class B, int B_LANES, int B_WORDS>
struct previous_states_2 {
  typedef word_t<A, A_LANES> start_0;
  typedef word<A, A_LANES> start_0_word;
  typedef word_t<B, B_LANES> start_1;
  typedef word<B, B_LANES> start_1_word;

  static void run(stream<start_0> &in_0, stream<start_1> &in_1, stream<start_0> &out_0,
                  stream<start_1> &out_1, const start_0 (&a)[A_WORDS],
                  const start_1 (&b)[B_WORDS]) {
#if QNNC_HLS
    for (int t = 0; t < STEPS; t++) {
      previous_state(in_0, out_0, a, t == 0);
      previous_state(in_1, out_1, b, t == 0);
    }
#else
    previous_state(in_0, out_0, a, in_0.empty());
    previous_state(in_1, out_1, b, in_1.empty());
#endif
  }
};

}  // namespace qnnc
