// SPDX-License-Identifier: Apache-2.0
// Values, words and streams for synthesis, and the two inner loops written lane by lane.
#pragma once

#include <ap_int.h>
#include <hls_stream.h>

// A word of a table from hexadecimal digits, element 0 in the low bits. Synthesis wants to see
// the literal in the constructor.
#define QNNC_WORD(TYPE, DIGITS) TYPE(DIGITS, 16)
// A memory within a function.
#define QNNC_ARRAY(TYPE, NAME, SIZE) TYPE NAME[SIZE]

namespace qnnc {

template <int BITS, bool SIGNED> struct number { typedef ap_uint<BITS> type; };
template <int BITS> struct number<BITS, true> { typedef ap_int<BITS> type; };

}  // namespace qnnc

#include "qnnc_number.h"

namespace qnnc {

template <class W> using stream = hls::stream<W>;

template <class T> struct coding {
  typedef ap_uint<T::bits> code;
  static typename T::value decode(code c) {
#pragma HLS INLINE
    typename T::value v;
    v.range(T::bits - 1, 0) = c;
    return v;
  }
  static code encode(typename T::value v) {
#pragma HLS INLINE
    return v.range(T::bits - 1, 0);
  }
};

template <> struct coding<bipolar> {
  typedef ap_uint<1> code;
  static bipolar::value decode(code c) {
#pragma HLS INLINE
    return c == 1 ? bipolar::value(1) : bipolar::value(-1);
  }
  static code encode(bipolar::value v) {
#pragma HLS INLINE
    return v > 0 ? code(1) : code(0);
  }
};

template <class T, int LANES> struct word {
  typedef ap_uint<T::bits * LANES> type;
  static typename T::value get(const type &w, int lane) {
#pragma HLS INLINE
    ap_uint<T::bits> code = w.range((lane + 1) * T::bits - 1, lane * T::bits);
    return coding<T>::decode(code);
  }
  static void set(type &w, int lane, typename T::value v) {
#pragma HLS INLINE
    w.range((lane + 1) * T::bits - 1, lane * T::bits) = coding<T>::encode(v);
  }
  static type blank() {
#pragma HLS INLINE
    return 0;
  }
  static type pack(const typename T::value values[LANES]) {
#pragma HLS INLINE
    type w = 0;
    for (int lane = 0; lane < LANES; lane++) {
#pragma HLS UNROLL
      set(w, lane, values[lane]);
    }
    return w;
  }
  // COUNT elements of another word, from its element `from` on, become those from `to` on.
  template <int COUNT, int OTHER>
  static void put(type &w, int to, const typename word<T, OTHER>::type &x, int from) {
#pragma HLS INLINE
    w.range((to + COUNT) * T::bits - 1, to * T::bits) =
        x.range((from + COUNT) * T::bits - 1, from * T::bits);
  }
};

template <class T, int LANES> using word_t = typename word<T, LANES>::type;

// Multiplication in logic or in DSP blocks.
template <bool DSP> struct multiply {
  template <class P, class A, class B> static P of(A a, B b) {
#pragma HLS INLINE
    P product = a * b;
#pragma HLS BIND_OP variable = product op = mul impl = fabric
    return product;
  }
};
template <> struct multiply<true> {
  template <class P, class A, class B> static P of(A a, B b) {
#pragma HLS INLINE
    P product = a * b;
#pragma HLS BIND_OP variable = product op = mul impl = dsp
    return product;
  }
};

// A lane's dot product over a word. XNOR: both operands are codes of -1/+1, equal pairs count.
template <class X, class W, class Y, int SIMD, bool XNOR, bool DSP> struct product {
  typedef word_t<X, SIMD> operand;
  typedef word_t<W, SIMD> weights;
  typedef word<W, SIMD> weight_word;
  typedef typename Y::value sum;
  typedef ap_int<X::bits + W::bits + 2> one;
  static operand prepare(const word_t<X, SIMD> &x) {
#pragma HLS INLINE
    return x;
  }
  static sum dot(const operand &x, const weights &w) {
#pragma HLS INLINE
    sum total = 0;
    for (int i = 0; i < SIMD; i++) {
#pragma HLS UNROLL
      typename X::value a = word<X, SIMD>::get(x, i);
      typename W::value b = word<W, SIMD>::get(w, i);
      if (XNOR)
        total += a == b ? 1 : 0;
      else
        total += multiply<DSP>::template of<one>(a, b);
    }
    return total;
  }
};

// How many thresholds each lane has reached.
template <class X, class T, int PE, int STEPS> struct thresholds {
  typedef word_t<T, PE> row;
  typedef word<T, PE> row_word;
  typedef ap_uint<bits_of<STEPS + 1>::value> count;
  static void reached(const word_t<X, PE> &x, const row table[STEPS], count result[PE]) {
#pragma HLS INLINE
    for (int lane = 0; lane < PE; lane++) {
#pragma HLS UNROLL
      const typename X::value v = word<X, PE>::get(x, lane);
      result[lane] = STEPS > 8 ? search(v, table, lane) : counted(v, table, lane);
    }
  }
  static count counted(typename X::value v, const row table[STEPS], int lane) {
#pragma HLS INLINE
    count n = 0;
    for (int step = 0; step < STEPS; step++) {
#pragma HLS UNROLL
      const typename T::value t = word<T, PE>::get(table[step], lane);
      n += v >= t ? 1 : 0;
    }
    return n;
  }
  // Thresholds of a lane ascend: each bit of their number is found by one comparison.
  static count search(typename X::value v, const row table[STEPS], int lane) {
#pragma HLS INLINE
    int n = 0;
    for (int bit = count::width - 1; bit >= 0; bit--) {
#pragma HLS UNROLL
      const int trial = n + (1 << bit);
      if (trial <= STEPS) {
        const typename T::value t = word<T, PE>::get(table[trial - 1], lane);
        if (v >= t) n = trial;
      }
    }
    return n;
  }
};

}  // namespace qnnc
