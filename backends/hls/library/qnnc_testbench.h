// SPDX-License-Identifier: Apache-2.0
// What C testbenches share: golden vectors from text files, feeding and comparing streams.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace qnnc {

// Integers of a file, `count` of them.
inline std::vector<long long> read_vector(const std::string &path, size_t count) {
  std::ifstream file(path.c_str());
  std::vector<long long> values(count);
  for (size_t i = 0; i < count; i++) {
    if (!(file >> values[i])) {
      std::fprintf(stderr, "%s holds fewer than %lu integers\n", path.c_str(),
                   (unsigned long)count);
      std::exit(2);
    }
  }
  return values;
}

template <class T, int LANES>
void offer(stream<word_t<T, LANES> > &s, const long long *from, int words) {
  for (int i = 0; i < words; i++) {
    word_t<T, LANES> w = blank<T, LANES>();
    for (int lane = 0; lane < LANES; lane++)
      word<T, LANES>::set(w, lane, typename T::value(from[i * LANES + lane]));
    s.write(w);
  }
}

// Elements that differ from the golden ones; words that lack or are too many count as well.
template <class T, int LANES>
int differences(stream<word_t<T, LANES> > &s, const long long *golden, int words,
                const char *name) {
  int wrong = 0;
  for (int i = 0; i < words; i++) {
    if (s.empty()) {
      std::printf("%s: word %d is missing\n", name, i);
      return wrong + (words - i) * LANES;
    }
    const word_t<T, LANES> w = s.read();
    for (int lane = 0; lane < LANES; lane++) {
      const long long found = (long long)word<T, LANES>::get(w, lane);
      if (found != golden[i * LANES + lane] && wrong++ == 0)
        std::printf("%s: element %d is %lld and should be %lld\n", name, i * LANES + lane, found,
                    golden[i * LANES + lane]);
    }
  }
  while (!s.empty()) {
    s.read();
    wrong += LANES;
  }
  return wrong;
}

}  // namespace qnnc
