// SPDX-License-Identifier: Apache-2.0
// Fills a memory of a CXXRTL model from a $readmemh file.
#pragma once
#include <cxxrtl/cxxrtl.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace qnnc {

template <size_t N>
const cxxrtl::value<N> &now(const cxxrtl::value<N> &port) {
  return port;
}
template <size_t N>
const cxxrtl::value<N> &now(const cxxrtl::wire<N> &port) {
  return port.curr;
}

[[noreturn]] inline void fail(const char *what, const char *name) {
  fprintf(stderr, "%s %s\n", what, name);
  exit(3);
}

// Reads one line of hexadecimal digits into 32-bit numbers, lowest first.
inline void load_word(FILE *in, const char *file, std::string &line, uint32_t *word,
                      size_t chunks) {
  line.clear();
  for (int c; (c = fgetc(in)) != EOF && c != '\n';) line.push_back(c);
  if (line.empty()) fail("too few words in", file);
  for (size_t i = 0; i < chunks; i++) word[i] = 0;
  for (size_t i = 0; i < line.size(); i++) {
    const char c = line[line.size() - 1 - i];
    const unsigned value = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
    if (value > 15) fail("bad word in", file);
    if (i / 8 < chunks) word[i / 8] |= value << 4 * (i % 8);
  }
}

template <size_t N>
void load_memory(cxxrtl::memory<N> &memory, const char *file) {
  FILE *in = fopen(file, "r");
  if (!in) fail("cannot read", file);
  std::string line;
  for (size_t row = 0; row < memory.depth; row++)
    load_word(in, file, line, memory[row].data, cxxrtl::value<N>::chunks);
  fclose(in);
}

}  // namespace qnnc
