// SPDX-License-Identifier: Apache-2.0
// Blocks of words written in order and read in another, by nested counting loops.
#pragma once

#include "qnnc_types.h"

namespace qnnc {

// COUNT steps, each of which moves the address by STRIDE words.
template <int COUNT, int STRIDE> struct loop {
  static const int count = COUNT;
  static const int stride = STRIDE;
};

template <class... LOOPS> struct nest {
  static const int words = 1;
};
template <class LOOP, class... LOOPS> struct nest<LOOP, LOOPS...> {
  static const int words = LOOP::count * nest<LOOPS...>::words;
};

// BLOCKS blocks of BLOCK words, of which word FIRST is read first; LOOPS from the innermost to the
// outermost.
template <class T, int LANES, int BLOCK, int BLOCKS, int FIRST, class... LOOPS> struct reorder {
  typedef word_t<T, LANES> W;

  static void run(stream<W> &in, stream<W> &out) {
    for (int block = 0; block < BLOCKS; block++) {
#pragma HLS DATAFLOW
      QNNC_ARRAY(W, memory, BLOCK);
      fill(in, memory);
      drain(memory, out);
    }
  }
  static void fill(stream<W> &in, W memory[BLOCK]) {
    for (int i = 0; i < BLOCK; i++) {
#pragma HLS PIPELINE II = 1
      memory[i] = in.read();
    }
  }
  static void drain(const W memory[BLOCK], stream<W> &out) {
    const int levels = sizeof...(LOOPS);
    const int counts[levels] = {LOOPS::count...};
    const int strides[levels] = {LOOPS::stride...};
    int counters[levels] = {};
    int bases[levels];  // the address at which each loop's round has begun
    for (int level = 0; level < levels; level++) {
#pragma HLS UNROLL
      bases[level] = FIRST;
    }
#pragma HLS ARRAY_PARTITION variable = counters complete
#pragma HLS ARRAY_PARTITION variable = bases complete
    for (int i = 0; i < nest<LOOPS...>::words; i++) {
#pragma HLS PIPELINE II = 1
      out.write(memory[bases[0]]);
      bool carry = true;
      int moved = 0;
      for (int level = 0; level < levels; level++) {
#pragma HLS UNROLL
        if (carry) {
          carry = counters[level] + 1 == counts[level];
          counters[level] = carry ? 0 : counters[level] + 1;
          if (!carry) moved = level;
        }
      }
      const int next = bases[moved] + strides[moved];
      for (int level = 0; level < levels; level++) {
#pragma HLS UNROLL
        if (level <= moved) bases[level] = next;
      }
    }
  }
};

}  // namespace qnnc
