// SPDX-License-Identifier: Apache-2.0
// Runs a network over many frames, in threads. Native build only.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace qnnc {

inline void fail(const std::string &what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(3);
}

inline std::vector<char> read_file(const std::string &path, size_t bytes) {
  std::vector<char> data(bytes);
  FILE *file = std::fopen(path.c_str(), "rb");
  if (!file || std::fread(data.data(), 1, bytes, file) != bytes) fail("cannot read " + path);
  std::fclose(file);
  return data;
}

inline void write_file(const std::string &path, const std::vector<char> &data) {
  FILE *file = std::fopen(path.c_str(), "wb");
  if (!file || std::fwrite(data.data(), 1, data.size(), file) != data.size())
    fail("cannot write " + path);
  if (std::fclose(file)) fail("cannot write " + path);
}

// Constants in the order of the tables, elements as machine integers.
class Constants {
  FILE *file;

public:
  explicit Constants(const std::string &path) : file(std::fopen(path.c_str(), "rb")) {
    if (!file) fail("cannot read " + path);
  }
  ~Constants() { std::fclose(file); }
  // WORD reads words of LANES elements of type T.
  template <class T, int LANES, class WORD, class ARRAY> void load(ARRAY *words, size_t count) {
    std::vector<typename T::value> row(LANES);
    for (size_t i = 0; i < count; i++) {
      if (std::fread(row.data(), sizeof(row[0]), LANES, file) != size_t(LANES))
        fail("the constants are cut off");
      words[i] = WORD::blank();
      for (int lane = 0; lane < LANES; lane++) WORD::set(words[i], lane, row[lane]);
    }
  }
};

// One tensor of all frames.
struct Tensor {
  std::string file;
  size_t bytes;  // per frame
  std::vector<char> data;
  template <class V> V *frame(size_t index) { return (V *)(data.data() + index * bytes); }
};

template <class T, int LANES>
void feed(stream<word_t<T, LANES> > &s, const typename T::value *from, int words) {
  for (int i = 0; i < words; i++) s.write(word<T, LANES>::pack(from + i * LANES));
}

// The words that wait in a stream, as elements.
template <class T, int LANES>
void show(const stream<word_t<T, LANES> > &s, typename T::value *to, int words) {
  if (s.size() != size_t(words)) fail("a stream holds another number of words than its tensor");
  for (int i = 0; i < words; i++)
    for (int lane = 0; lane < LANES; lane++)
      to[i * LANES + lane] = word<T, LANES>::get(s.peek(i), lane);
}

// NETWORK has: tables(constants), a Streams type, inputs, outputs, taps (Tensor lists without
// data) and run(tables, streams, frame, tapped).
template <class NETWORK> int emulate(int argc, char **argv) {
  if (argc != 6) fail("usage: emulator CONSTANTS FOLDER FRAMES THREADS TAPS");
  const std::string folder = std::string(argv[2]) + "/";
  const size_t frames = std::strtoull(argv[3], nullptr, 10);
  const int threads = std::atoi(argv[4]);
  const bool tapped = std::atoi(argv[5]) != 0;
  std::unique_ptr<NETWORK> network(new NETWORK);
  {
    Constants constants(argv[1]);
    network->load(constants);
  }
  for (Tensor &t : network->inputs) t.data = read_file(folder + t.file, frames * t.bytes);
  for (Tensor &t : network->outputs) t.data.resize(frames * t.bytes);
  if (tapped)
    for (Tensor &t : network->taps) t.data.resize(frames * t.bytes);
  std::atomic<size_t> next(0);
  const auto start = std::chrono::steady_clock::now();
  const auto work = [&] {
    std::unique_ptr<typename NETWORK::Streams> streams(new typename NETWORK::Streams);
    for (size_t first; (first = next.fetch_add(8)) < frames;)
      for (size_t f = first; f < frames && f < first + 8; f++) network->run(*streams, f, tapped);
  };
  std::vector<std::thread> pool;
  for (int t = 1; t < threads; t++) pool.emplace_back(work);
  work();
  for (std::thread &t : pool) t.join();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  for (Tensor &t : network->outputs) write_file(folder + t.file, t.data);
  if (tapped)
    for (Tensor &t : network->taps) write_file(folder + t.file, t.data);
  std::printf("%.9f\n", seconds.count());
  return 0;
}

}  // namespace qnnc
