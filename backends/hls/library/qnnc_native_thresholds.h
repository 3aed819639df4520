// SPDX-License-Identifier: Apache-2.0
// Counting reached thresholds natively: all lanes at once for few steps, binary search for many.
#pragma once

namespace qnnc {

template <class X, class T, int PE, int STEPS> struct thresholds {
  typedef typename machine<(X::bits > T::bits ? X::bits : T::bits) < 32 ? 2 : 3, true>::type wide;
  typedef lane_word<T, PE> row_word;
  typedef lanes<T, PE> row;
  typedef int32_t count;
  static void reached(const word_t<X, PE> &x, const row table[STEPS], count result[PE]) {
    if (STEPS > 8) {
      for (int lane = 0; lane < PE; lane++) result[lane] = search(x, table, lane);
      return;
    }
    for (int lane = 0; lane < PE; lane++) result[lane] = 0;
    for (int step = 0; step < STEPS; step++)
      for (int lane = 0; lane < PE; lane++)
        result[lane] += wide(word<X, PE>::get(x, lane)) >= wide(table[step].value[lane]);
  }
  // Thresholds of a lane ascend: the number reached is where the first unreached one stands.
  static count search(const word_t<X, PE> &x, const row table[STEPS], int lane) {
    const wide v = wide(word<X, PE>::get(x, lane));
    int low = 0, high = STEPS;
    while (low < high) {
      const int middle = (low + high) / 2;
      if (v >= wide(table[middle].value[lane]))
        low = middle + 1;
      else
        high = middle;
    }
    return low;
  }
};

}  // namespace qnnc
