// SPDX-License-Identifier: Apache-2.0
// Integer types of networks, words of streams, and what they are made of.
//
// Under Vitis HLS (or with QNNC_AP_INT and genuine headers) values are ap_int, a word is an
// ap_uint with element 0 in its low bits, and a stream is hls::stream. Otherwise values are the
// machine's integers and a word is bit planes or an array (qnnc_native.h). All else is the same.
#pragma once

#if defined(__SYNTHESIS__) || defined(QNNC_AP_INT)
#define QNNC_HLS 1
#include "qnnc_ap.h"
#else
#define QNNC_HLS 0
#include "qnnc_native.h"
#endif

namespace qnnc {

// A word with every element set to the value of code 0.
template <class T, int LANES> word_t<T, LANES> blank() {
#pragma HLS INLINE
  return word<T, LANES>::blank();
}

// A word as elements of another type.
template <class X, class Y, int LANES> struct recoded {
  static word_t<Y, LANES> of(const word_t<X, LANES> &x) {
#pragma HLS INLINE
    typename Y::value values[LANES];
#pragma HLS ARRAY_PARTITION variable = values complete
    for (int lane = 0; lane < LANES; lane++) {
#pragma HLS UNROLL
      values[lane] = typename Y::value(word<X, LANES>::get(x, lane));
    }
    return word<Y, LANES>::pack(values);
  }
};
template <class X, int LANES> struct recoded<X, X, LANES> {
  static word_t<X, LANES> of(const word_t<X, LANES> &x) {
#pragma HLS INLINE
    return x;
  }
};

}  // namespace qnnc
