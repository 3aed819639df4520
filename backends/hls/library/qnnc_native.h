// SPDX-License-Identifier: Apache-2.0
// Values, words and streams for g++: the machine's integers in place of ap_int.
//
// Elements of one or two bits lie in bit planes (plane p holds bit p of 64 elements a limb), so
// that a dot product is AND and popcount; wider ones in arrays, for the compiler to vectorise.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

// A word of a table from hexadecimal digits, element 0 in the low bits.
#define QNNC_WORD(TYPE, DIGITS) TYPE##_word::from_hex(DIGITS)
// A memory within a function; large ones do not fit a thread's stack.
#define QNNC_ARRAY(TYPE, NAME, SIZE)  \
  std::vector<TYPE> NAME##_memory(SIZE); \
  TYPE *const NAME = NAME##_memory.data()

namespace qnnc {

template <int BITS> struct rank_of {
  static const int value = BITS <= 8 ? 0 : BITS <= 16 ? 1 : BITS <= 32 ? 2 : 3;
};
template <int RANK, bool SIGNED> struct machine;
template <> struct machine<0, true> { typedef int8_t type; };
template <> struct machine<1, true> { typedef int16_t type; };
template <> struct machine<2, true> { typedef int32_t type; };
template <> struct machine<3, true> { typedef int64_t type; };
template <> struct machine<0, false> { typedef uint8_t type; };
template <> struct machine<1, false> { typedef uint16_t type; };
template <> struct machine<2, false> { typedef uint32_t type; };
template <> struct machine<3, false> { typedef uint64_t type; };

template <int BITS, bool SIGNED> struct number {
  typedef typename machine<rank_of<BITS>::value, SIGNED>::type type;
};

}  // namespace qnnc

#include "qnnc_number.h"

namespace qnnc {

// First in, first out, of any length; storage is kept from frame to frame.
template <class W> class stream {
  std::vector<W> words;
  size_t head = 0;

public:
  stream() {}
  explicit stream(const char *) {}
  void write(const W &w) { words.push_back(w); }
  const W &read() { return words[head++]; }
  bool empty() const { return head == words.size(); }
  size_t size() const { return words.size() - head; }
  const W &peek(size_t i) const { return words[head + i]; }
  // Ready for the next frame; nothing may keep a reference to a word.
  void clear() {
    words.clear();
    head = 0;
  }
};

inline int digit_of(char c) { return c <= '9' ? c - '0' : (c | 32) - 'a' + 10; }

template <class T> typename T::value value_of(uint64_t code) {
  if (T::is_bipolar) return code ? 1 : -1;
  if (T::is_signed && T::bits < 64 && (code >> (T::bits - 1)) & 1)
    return (typename T::value)(code - (uint64_t(1) << (T::bits & 63)));
  return (typename T::value)code;
}

template <class WORD, class T, int LANES> typename WORD::type read_hex(const char *digits) {
  typename WORD::type w = WORD::blank();
  const int count = (int)std::strlen(digits) - 2;  // after 0x
  for (int lane = 0; lane < LANES; lane++) {
    uint64_t code = 0;
    for (int b = 0; b < T::bits; b++) {
      const int at = lane * T::bits + b, place = count - 1 - at / 4;
      if (place >= 0) code |= uint64_t(digit_of(digits[2 + place]) >> (at % 4) & 1) << b;
    }
    WORD::set(w, lane, value_of<T>(code));
  }
  return w;
}

template <class T, int LANES> struct planes {
  static const int limbs = (LANES + 63) / 64;
  uint64_t plane[T::bits][limbs];  // bits beyond the last lane are zero
  planes operator|(const planes &other) const {
    planes both;
    for (int p = 0; p < T::bits; p++)
      for (int l = 0; l < limbs; l++) both.plane[p][l] = plane[p][l] | other.plane[p][l];
    return both;
  }
};

// COUNT bits of one plane, from bit `from` on, become those of another from bit `to` on.
template <int COUNT> void put_bits(uint64_t *target, int to, const uint64_t *source, int from) {
  for (int done = 0; done < COUNT;) {
    const int a = (from + done) % 64, b = (to + done) % 64, left = COUNT - done;
    int step = 64 - (a > b ? a : b);
    if (step > left) step = left;
    const uint64_t mask = (~uint64_t(0) >> (64 - step)) << b;
    uint64_t &limb = target[(to + done) / 64];
    limb = (limb & ~mask) | ((source[(from + done) / 64] >> a << b) & mask);
    done += step;
  }
}

template <class T, int LANES> struct lanes {
  typename T::value value[LANES];
};

// A word of bit planes.
template <class T, int LANES> struct plane_word {
  typedef planes<T, LANES> type;
  static type from_hex(const char *digits) { return read_hex<plane_word, T, LANES>(digits); }
  static typename T::value get(const type &w, int lane) {
    uint64_t code = 0;
    for (int p = 0; p < T::bits; p++) code |= ((w.plane[p][lane / 64] >> (lane % 64)) & 1) << p;
    return value_of<T>(code);
  }
  static void set(type &w, int lane, int64_t v) {
    uint64_t code = T::is_bipolar ? v > 0 : uint64_t(v);
    for (int p = 0; p < T::bits; p++) {
      uint64_t &limb = w.plane[p][lane / 64];
      limb = (limb & ~(uint64_t(1) << (lane % 64))) | ((code >> p & 1) << (lane % 64));
    }
  }
  static type blank() {
    type w;
    std::memset(&w, 0, sizeof w);
    return w;
  }
  template <class V> static type pack(const V *values) {
    type w;
    for (int l = 0; l < type::limbs; l++) {
      const int count = LANES - 64 * l < 64 ? LANES - 64 * l : 64;
      uint64_t limb[T::bits] = {};
      for (int i = 0; i < count; i++) {
        uint64_t code = T::is_bipolar ? values[64 * l + i] > 0 : uint64_t(values[64 * l + i]);
        for (int p = 0; p < T::bits; p++) limb[p] |= (code >> p & 1) << i;
      }
      for (int p = 0; p < T::bits; p++) w.plane[p][l] = limb[p];
    }
    return w;
  }
  // COUNT elements of another word, from its element `from` on, become those from `to` on.
  template <int COUNT, int OTHER>
  static void put(type &w, int to, const planes<T, OTHER> &x, int from) {
    for (int p = 0; p < T::bits; p++) put_bits<COUNT>(w.plane[p], to, x.plane[p], from);
  }
};

// A word of machine integers.
template <class T, int LANES> struct lane_word {
  typedef lanes<T, LANES> type;
  static type from_hex(const char *digits) { return read_hex<lane_word, T, LANES>(digits); }
  static typename T::value get(const type &w, int lane) { return w.value[lane]; }
  static void set(type &w, int lane, int64_t v) { w.value[lane] = (typename T::value)v; }
  static type blank() {
    type w;
    for (int i = 0; i < LANES; i++) w.value[i] = T::is_bipolar ? -1 : 0;
    return w;
  }
  template <class V> static type pack(const V *values) {
    type w;
    for (int i = 0; i < LANES; i++) w.value[i] = (typename T::value)values[i];
    return w;
  }
  template <int COUNT, int OTHER>
  static void put(type &w, int to, const lanes<T, OTHER> &x, int from) {
    for (int i = 0; i < COUNT; i++) w.value[to + i] = x.value[from + i];
  }
};

template <class T, int LANES, bool PLANES> struct storage;
template <class T, int LANES>
struct storage<T, LANES, true> : plane_word<T, LANES> {};
template <class T, int LANES>
struct storage<T, LANES, false> : lane_word<T, LANES> {};

template <class T, int LANES> struct word : storage<T, LANES, T::bits <= 2> {};
template <class T, int LANES> using word_t = typename word<T, LANES>::type;

template <bool DSP> struct multiply {
  template <class P, class A, class B> static P of(A a, B b) { return P(P(a) * P(b)); }
};

}  // namespace qnnc

#include "qnnc_native_product.h"
#include "qnnc_native_thresholds.h"
