// SPDX-License-Identifier: Apache-2.0
// Element types. `value` is what arithmetic uses, a code is the element's bits in a word.
#pragma once

namespace qnnc {

template <int BITS, bool SIGNED> struct integer {
  static const int bits = BITS;
  static const bool is_signed = SIGNED;
  static const bool is_bipolar = false;
  static const bool is_ternary = false;
  typedef typename number<BITS, SIGNED>::type value;
};

// -1, 0, +1 in two's complement.
struct ternary : integer<2, true> {
  static const bool is_ternary = true;
};

// -1 and +1 as codes 0 and 1.
struct bipolar {
  static const int bits = 1;
  static const bool is_signed = true;
  static const bool is_bipolar = true;
  static const bool is_ternary = false;
  typedef number<2, true>::type value;
};

// Smallest number of bits that counts 0..COUNT-1, at least 1.
template <int COUNT> struct bits_of {
  static const int value = COUNT <= 2 ? 1 : 1 + bits_of<(COUNT + 1) / 2>::value;
};
template <> struct bits_of<0> { static const int value = 1; };
template <> struct bits_of<1> { static const int value = 1; };
template <> struct bits_of<2> { static const int value = 1; };

}  // namespace qnnc
