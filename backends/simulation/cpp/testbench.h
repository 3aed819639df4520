// SPDX-License-Identifier: Apache-2.0
// Drives an accelerator with AXI-Stream ports, the same for every simulator.
//
// A word of a stream is `words` 32-bit numbers, least significant first. The
// simulator's part (`Dut`) gives the ports; this part feeds input files,
// records outputs and taps, and applies random back-pressure.
#pragma once
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace qnnc {

struct Port {
  const char *name;
  unsigned words;
};

// What a simulator implements.
struct Dut {
  virtual ~Dut() {}
  virtual unsigned inputs() const = 0;
  virtual unsigned cyclic() const { return 0; }  // the last so many inputs never end
  virtual unsigned outputs() const = 0;
  virtual unsigned taps() const = 0;
  virtual Port input(unsigned i) const = 0;
  virtual Port output(unsigned i) const = 0;
  virtual Port tap(unsigned i) const = 0;
  virtual void reset(bool active) = 0;
  virtual void drive(unsigned input, bool valid, const uint32_t *data) = 0;
  virtual void accept(unsigned output, bool ready) = 0;
  virtual void settle() = 0;  // clock low: outputs follow the inputs
  virtual void edge() = 0;    // rising edge
  virtual bool ready(unsigned input) = 0;
  virtual bool valid(unsigned output) = 0;
  virtual void read(unsigned output, uint32_t *data) = 0;
  virtual bool fired(unsigned tap) = 0;
  virtual void read_tap(unsigned tap, uint32_t *data) = 0;
};

// A word with the bits above `bits` cleared.
template <unsigned bits> std::array<uint32_t, (bits + 31) / 32> within(const uint32_t *data) {
  std::array<uint32_t, (bits + 31) / 32> word;
  std::memcpy(word.data(), data, sizeof word);
  if (bits % 32) word.back() &= (UINT32_C(1) << bits % 32) - 1;
  return word;
}

// xorshift64*, seeded by the caller: the same on every machine.
struct Random {
  uint64_t state;
  explicit Random(uint64_t seed) : state(seed * 0x9E3779B97F4A7C15ull + 1) {}
  uint64_t next() {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545F4914F6CDD1Dull;
  }
  bool chance(unsigned percent) { return (next() >> 33) % 100 < percent; }
};

struct Recorder {
  FILE *file;
  std::vector<uint32_t> word;
  uint64_t count = 0;
  Recorder(const std::string &path, unsigned words) : file(fopen(path.c_str(), "wb")), word(words) {
    if (!file) {
      fprintf(stderr, "cannot write %s\n", path.c_str());
      exit(3);
    }
  }
  void write() {
    if (fwrite(word.data(), 4, word.size(), file) != word.size()) {
      fprintf(stderr, "cannot write a record: disk full?\n");
      exit(3);
    }
    count++;
  }
};

inline std::vector<uint32_t> load(const std::string &path) {
  FILE *file = fopen(path.c_str(), "rb");
  if (!file) {
    fprintf(stderr, "cannot read %s\n", path.c_str());
    exit(3);
  }
  fseek(file, 0, SEEK_END);
  std::vector<uint32_t> data(ftell(file) / 4);
  rewind(file);
  if (fread(data.data(), 4, data.size(), file) != data.size()) exit(3);
  fclose(file);
  return data;
}

// Arguments: folder, seed, percent of cycles in which a source offers a word,
// percent in which a sink takes one, idle cycles that mean deadlock, frames, and
// the words per frame of each output. Reads in_<i>.bin, writes out_<i>.bin,
// tap_<i>.bin and frames.txt (for each output and frame the cycle of its last
// word), and prints the number of cycles and that of the first input word.
inline int run(Dut &dut, int argc, char **argv) {
  if (argc < 7 + (int)dut.outputs()) {
    fprintf(stderr, "usage: simulation FOLDER SEED SOURCE%% SINK%% IDLE FRAMES WORDS...\n");
    return 2;
  }
  const std::string folder = std::string(argv[1]) + "/";
  Random random(strtoull(argv[2], nullptr, 10));
  const unsigned source = atoi(argv[3]), sink = atoi(argv[4]);
  const uint64_t patience = strtoull(argv[5], nullptr, 10);
  const unsigned ni = dut.inputs(), no = dut.outputs(), nt = dut.taps();

  std::vector<std::vector<uint32_t>> feed;
  std::vector<size_t> position(ni, 0);
  std::vector<bool> offering(ni, false), accepting(no, false);
  for (unsigned i = 0; i < ni; i++) feed.push_back(load(folder + "in_" + std::to_string(i) + ".bin"));
  std::vector<Recorder> out, tap;
  for (unsigned i = 0; i < no; i++)
    out.emplace_back(folder + "out_" + std::to_string(i) + ".bin", dut.output(i).words);
  for (unsigned i = 0; i < nt; i++)
    tap.emplace_back(folder + "tap_" + std::to_string(i) + ".bin", dut.tap(i).words);
  std::vector<uint64_t> words_a_frame, expected;
  const uint64_t frames = strtoull(argv[6], nullptr, 10);
  for (unsigned i = 0; i < no; i++) {
    words_a_frame.push_back(strtoull(argv[7 + i], nullptr, 10));
    expected.push_back(words_a_frame[i] * frames);
  }
  FILE *log = fopen((folder + "frames.txt").c_str(), "w");
  if (!log) return 3;

  // What lies on tdata without tvalid must not matter.
  std::vector<uint32_t> junk(4096, 0xA5C35A3Cu);
  std::vector<std::vector<uint32_t>> held(no);
  dut.reset(true);
  for (unsigned i = 0; i < ni; i++) dut.drive(i, false, junk.data());
  for (unsigned i = 0; i < no; i++) dut.accept(i, false);
  for (int i = 0; i < 4; i++) {
    dut.settle();
    dut.edge();
  }
  dut.reset(false);

  // After the last output the run continues until nothing moves inside: the last pixels of an
  // image that no window needs are still to be swallowed.
  uint64_t cycle = 0, idle = 0, first = UINT64_MAX, last = 0;
  bool done = false;
  while (idle < (done ? patience / 12 : patience)) {
    for (unsigned i = 0; i < ni; i++) {
      // AXI-Stream: once offered, a word stays until it is taken.
      if (!offering[i]) offering[i] = position[i] < feed[i].size() && random.chance(source);
      dut.drive(i, offering[i], offering[i] ? &feed[i][position[i]] : junk.data());
    }
    for (unsigned i = 0; i < no; i++) {
      accepting[i] = random.chance(sink);
      dut.accept(i, accepting[i]);
    }
    dut.settle();
    bool moved = false;
    for (unsigned i = 0; i < ni; i++)
      if (offering[i] && dut.ready(i)) {
        position[i] += dut.input(i).words;
        offering[i] = false;
        moved = true;
        if (i >= ni - dut.cyclic()) {
          if (position[i] == feed[i].size()) position[i] = 0;
        } else if (first == UINT64_MAX) {
          first = cycle;
        }
      }
    bool complete = true;
    for (unsigned i = 0; i < no; i++) {
      if (dut.valid(i)) dut.read(i, out[i].word.data());
      // AXI-Stream: once valid, a word stays as it is until it is taken.
      if (!held[i].empty() && (!dut.valid(i) || held[i] != out[i].word)) {
        printf("protocol %llu %u\n", (unsigned long long)cycle, i);
        return 5;
      }
      held[i].clear();
      if (dut.valid(i) && !accepting[i]) held[i] = out[i].word;
      if (accepting[i] && dut.valid(i)) {
        out[i].write();
        moved = true;
        if (out[i].count % words_a_frame[i] == 0) fprintf(log, "%u %llu\n", i, (unsigned long long)cycle);
      }
      complete = complete && out[i].count >= expected[i];
    }
    for (unsigned i = 0; i < nt; i++)
      if (dut.fired(i)) {
        dut.read_tap(i, tap[i].word.data());
        tap[i].write();
        moved = true;
      }
    dut.edge();
    cycle++;
    if (complete && !done) last = cycle;
    done = complete;
    idle = moved ? 0 : idle + 1;
  }
  bool closed = fclose(log) == 0;
  for (auto &r : out) closed = fclose(r.file) == 0 && closed;
  for (auto &r : tap) closed = fclose(r.file) == 0 && closed;
  if (!closed) {
    fprintf(stderr, "cannot write a record: disk full?\n");
    return 3;
  }
  printf("%s %llu %llu\n", done ? "done" : "stuck", (unsigned long long)(done ? last : cycle),
         (unsigned long long)(first == UINT64_MAX ? 0 : first));
  return done ? 0 : 4;
}

}  // namespace qnnc
