// SPDX-License-Identifier: Apache-2.0
// A lane's dot product natively: popcounts over bit planes, or a vectorised loop over arrays.
// The result is the one of qnnc_ap.h's plain loop.
#pragma once

namespace qnnc {

inline int ones(uint64_t limb) { return __builtin_popcountll(limb); }

// Worth of bit `p` in an element.
template <class T> constexpr int worth(int p) {
  return T::is_signed && !T::is_bipolar && p == T::bits - 1 ? -(1 << p) : 1 << p;
}

enum scheme { by_arrays, by_planes, by_xnor, by_ternary, by_sign };

template <class X, class W, bool XNOR> struct scheme_of {
  static const bool narrow = X::bits <= 2 && X::bits * W::bits <= 4;
  static const scheme value = !narrow                          ? by_arrays
                              : XNOR                           ? by_xnor
                              : X::is_ternary && W::is_ternary ? by_ternary
                              : W::is_bipolar                  ? by_sign
                                                               : by_planes;
};

template <class X, class W, class Y, int SIMD, scheme SCHEME, bool XNOR> struct dotted;

template <class X, class W, class Y, int SIMD, bool XNOR, bool DSP>
struct product : dotted<X, W, Y, SIMD, scheme_of<X, W, XNOR>::value, XNOR> {};

// What the popcount schemes share.
template <class X, class W, int SIMD> struct plane_operands {
  typedef planes<X, SIMD> operand;
  typedef planes<W, SIMD> weights;
  typedef plane_word<W, SIMD> weight_word;
  typedef int32_t sum;
  static const int limbs = planes<X, SIMD>::limbs;
  static const operand &prepare(const operand &x) { return x; }
};

template <class X, class W, class Y, int SIMD, bool XNOR>
struct dotted<X, W, Y, SIMD, by_xnor, XNOR> : plane_operands<X, W, SIMD> {
  typedef plane_operands<X, W, SIMD> base;
  static int32_t dot(const typename base::operand &x, const typename base::weights &w) {
    int different = 0;
    for (int l = 0; l < base::limbs; l++) different += ones(x.plane[0][l] ^ w.plane[0][l]);
    return SIMD - different;
  }
};

// Bit 0 says that an element is not zero, bit 1 its sign.
template <class X, class W, class Y, int SIMD, bool XNOR>
struct dotted<X, W, Y, SIMD, by_ternary, XNOR> : plane_operands<X, W, SIMD> {
  typedef plane_operands<X, W, SIMD> base;
  static int32_t dot(const typename base::operand &x, const typename base::weights &w) {
    int pairs = 0, negative = 0;
    for (int l = 0; l < base::limbs; l++) {
      const uint64_t both = x.plane[0][l] & w.plane[0][l];
      pairs += ones(both);
      negative += ones(both & (x.plane[1][l] ^ w.plane[1][l]));
    }
    return pairs - 2 * negative;
  }
};

template <class X, class W, class Y, int SIMD, bool XNOR>
struct dotted<X, W, Y, SIMD, by_planes, XNOR> : plane_operands<X, W, SIMD> {
  typedef plane_operands<X, W, SIMD> base;
  static int32_t dot(const typename base::operand &x, const typename base::weights &w) {
    int32_t total = 0;
    for (int p = 0; p < X::bits; p++)
      for (int q = 0; q < W::bits; q++) {
        int count = 0;
        for (int l = 0; l < base::limbs; l++) count += ones(x.plane[p][l] & w.plane[q][l]);
        total += worth<X>(p) * worth<W>(q) * count;
      }
    return total;
  }
};

// Bipolar weights b in {0, 1}: sum x (2 b - 1) = 2 sum(x b) - sum(x), the latter once per word.
template <class X, class W, class Y, int SIMD, bool XNOR>
struct dotted<X, W, Y, SIMD, by_sign, XNOR> {
  typedef planes<W, SIMD> weights;
  typedef plane_word<W, SIMD> weight_word;
  typedef int32_t sum;
  static const int limbs = planes<X, SIMD>::limbs;
  struct operand {
    planes<X, SIMD> x;
    int32_t total;
  };
  static operand prepare(const planes<X, SIMD> &x) {
    operand o = {x, 0};
    for (int p = 0; p < X::bits; p++)
      for (int l = 0; l < limbs; l++) o.total += worth<X>(p) * ones(x.plane[p][l]);
    return o;
  }
  static int32_t dot(const operand &o, const weights &w) {
    int32_t total = 0;
    for (int p = 0; p < X::bits; p++) {
      int count = 0;
      for (int l = 0; l < limbs; l++) count += ones(o.x.plane[p][l] & w.plane[0][l]);
      total += worth<X>(p) * count;
    }
    return 2 * total - o.total;
  }
};

// Arrays of one width, which compilers turn into multiply-and-add instructions.
template <class X, class W, class Y, int SIMD, bool XNOR>
struct dotted<X, W, Y, SIMD, by_arrays, XNOR> {
  static const bool narrow = X::bits + !X::is_signed <= 16 && W::bits + !W::is_signed <= 16;
  static const bool middle = X::bits + !X::is_signed <= 32 && W::bits + !W::is_signed <= 32;
  typedef typename machine<narrow ? 1 : middle ? 2 : 3, true>::type element;
  typedef typename machine<Y::bits <= 32 ? 2 : 3, true>::type sum;
  typedef typename machine<Y::bits <= 32 ? 2 : 3, false>::type modular;  // wraps, is never wrong
  // zeros after the last element, so that it is whole vectors
  static const int padded = SIMD < 8 ? SIMD : (SIMD + 15) / 16 * 16;
  struct operand { element value[padded]; };
  typedef operand weights;
  struct weight_word {
    static void set(weights &w, int lane, int64_t v) { w.value[lane] = (element)v; }
    static weights blank() {
      weights w;
      for (int i = 0; i < padded; i++) w.value[i] = W::is_bipolar && i < SIMD ? -1 : 0;
      return w;
    }
    typedef weights type;
    static weights from_hex(const char *digits) { return read_hex<weight_word, W, SIMD>(digits); }
  };
  static operand prepare(const word_t<X, SIMD> &x) {
    operand o;
    for (int i = 0; i < SIMD; i++) o.value[i] = (element)word<X, SIMD>::get(x, i);
    for (int i = SIMD; i < padded; i++) o.value[i] = 0;
    return o;
  }
  static sum dot(const operand &x, const weights &w) {
    modular total = 0;
    if (XNOR)
      for (int i = 0; i < SIMD; i++) total += x.value[i] == w.value[i];
    else
      for (int i = 0; i < padded; i++) total += modular(sum(x.value[i]) * sum(w.value[i]));
    return sum(total);
  }
};

}  // namespace qnnc
