// SPDX-License-Identifier: Apache-2.0
// An activation as an affine map of each channel, and a step function that all share.
#pragma once

#include "qnnc_types.h"

namespace qnnc {

// The code is z itself, held within LOW..HIGH. The classes here give the code of
// z = (a x + b) >> SHIFT and let PATCH add to it; their tables come first.
template <int LOW, int HIGH> struct clipped {
  template <class PATCH, class F, class KEY, class... TABLES>
  static int code(F z, KEY key, int lane, const TABLES &... tables) {
#pragma HLS INLINE
    return int(z < LOW ? F(LOW) : z > HIGH ? F(HIGH) : z) + PATCH::of(key, lane, tables...);
  }
};

// The code is LOW and the number of thresholds, of type T and ascending, that z reaches.
template <class T, int STEPS, int LOW> struct searched {
  typedef word_t<T, 1> threshold;
  typedef word<T, 1> threshold_word;

  template <class PATCH, class F, class KEY, class... TABLES>
  static int code(F z, KEY key, int lane, const threshold (&thresholds)[STEPS],
                  const TABLES &... tables) {
#pragma HLS INLINE
    int n = 0;
    for (int bit = bits_of<STEPS + 1>::value - 1; bit >= 0; bit--) {
#pragma HLS UNROLL
      const int trial = n + (1 << bit);
      if (trial <= STEPS && z >= F(threshold_word::get(thresholds[trial - 1], 0))) n = trial;
    }
    return LOW + n + PATCH::of(key, lane, tables...);
  }
};

struct no_patches {
  static const bool any = false;
  template <class KEY> static int of(KEY, int) {
#pragma HLS INLINE
    return 0;
  }
};

// What is added for single inputs: for each lane a hash table of two ways. A key, x below the
// row's number, has a place in each, every bit of it the parity of the key's bits under a mask;
// the entry there holds the key's high bits above what is to be added, VALUE bits.
template <int KEY_BITS, int PLACE_BITS, int VALUE_BITS, int PE> struct patches {
  static const bool any = true;
  static const int entry_bits = KEY_BITS - PLACE_BITS + VALUE_BITS;
  typedef integer<KEY_BITS, false> mask_type;
  typedef integer<entry_bits, false> entry_type;
  typedef word_t<mask_type, 1> mask;
  typedef word<mask_type, 1> mask_word;
  typedef word_t<entry_type, 1> entry;
  typedef word<entry_type, 1> entry_word;

  template <class KEY>
  static int of(KEY key, int lane, const mask (&masks)[PE][2 * PLACE_BITS],
                const entry (&entries)[PE][2 << PLACE_BITS]) {
#pragma HLS INLINE
    int total = 0;
    for (int way = 0; way < 2; way++) {
#pragma HLS UNROLL
      int place = way << PLACE_BITS;
      for (int bit = 0; bit < PLACE_BITS; bit++) {
#pragma HLS UNROLL
        const KEY under = key & KEY(mask_word::get(masks[lane][way * PLACE_BITS + bit], 0));
        place += odd(under) << bit;
      }
      const typename entry_type::value found = entry_word::get(entries[lane][place], 0);
      const int value = int(found & typename entry_type::value((1 << VALUE_BITS) - 1));
      if ((found >> VALUE_BITS) == (key >> PLACE_BITS))
        total += value >> (VALUE_BITS - 1) ? value - (1 << VALUE_BITS) : value;
    }
    return total;
  }
  template <class KEY> static int odd(KEY bits) {
#pragma HLS INLINE
    int parity = 0;
    for (int i = 0; i < KEY_BITS; i++) {
#pragma HLS UNROLL
      parity ^= int((bits >> i) & 1);
    }
    return parity;
  }
};

// Element types X (inputs), A and B (slopes and intercepts), F (what a x + b fits in), Y (outputs).
// ROWS is the words of a vector, or 1 where all channels share a and b. EVEN: where the bits
// dropped are zero, an odd z becomes the even one below.
template <class X, class A, class B, class F, class Y, class CODE, class PATCH, int WORDS, int PE,
          int ROWS, int SHIFT, bool EVEN>
struct affine : CODE, PATCH {
  typedef word_t<A, PE> slope;
  typedef word<A, PE> slope_word;
  typedef word_t<B, PE> intercept;
  typedef word<B, PE> intercept_word;
  typedef typename F::value full;
  // x as it is coded, below the row's number
  typedef typename number<X::bits + bits_of<ROWS>::value, false>::type key;

  template <class... TABLES>
  static void run(stream<word_t<X, PE> > &in, stream<word_t<Y, PE> > &out, const slope a[ROWS],
                  const intercept b[ROWS], const TABLES &... tables) {
    int row = 0;
    for (int i = 0; i < WORDS; i++) {
#pragma HLS PIPELINE II = 1
      const word_t<X, PE> x = in.read();
      typename Y::value y[PE];
#pragma HLS ARRAY_PARTITION variable = y complete
      for (int pe = 0; pe < PE; pe++) {
#pragma HLS UNROLL
        const typename X::value v = word<X, PE>::get(x, pe);
        const full sum = full(slope_word::get(a[row], pe)) * full(v) +
                         full(intercept_word::get(b[row], pe));
        full z = sum >> SHIFT;
        if (EVEN && (sum & ((full(1) << SHIFT) - 1)) == 0) z = z & ~full(1);
        const key k = PATCH::any ? key((key(row) << X::bits) + code_of<X>(v)) : key(0);
        y[pe] = typename Y::value(CODE::template code<PATCH>(z, k, pe, tables...));
      }
      out.write(word<Y, PE>::pack(y));
      row = row + 1 == ROWS ? 0 : row + 1;
    }
  }
  // The bits of an element, two's complement where it is signed.
  template <class T> static key code_of(typename T::value v) {
#pragma HLS INLINE
    return key(v) & ((key(1) << T::bits) - 1);
  }
};

}  // namespace qnnc
