// SPDX-License-Identifier: Apache-2.0
// A board around the shell: the processing system's GP0 port, which reads and
// writes registers, and its HP0 port with memory behind it. Latencies and pauses
// are random; bursts with different ids may overtake each other, as AXI allows.
// What the shell does is held against AXI's rules.
//
// Commands come over standard input, four 32-bit numbers each, and each is
// answered by two: a status (0: well) and a value.
#pragma once
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <string>
#include <vector>

namespace qnnc {

enum Command : uint32_t {
  READ = 1,       // address, beats - 1: answers with the last beat
  WRITE = 2,      // address, value, strobes
  ADVANCE = 3,    // cycles
  CYCLES = 4,     // 0 low half, 1 high half
  RESET = 5,      // cycles that FCLK_RESET0_N is low
  FAULT = 6,      // which, bursts of its kind before the faulty one
  INTERRUPT = 7,  // answers whether the interrupt is up
};

// What a memory may do wrong.
enum Fault : uint32_t {
  READ_ERROR,    // a read burst is answered with SLVERR
  WRITE_ERROR,   // a write burst is answered with SLVERR
  LAST,          // all beats of a read burst say the opposite of RLAST
  STRAY_BEAT,    // a beat too many comes behind a read burst
  STRAY_ANSWER,  // an answer too many comes behind a write burst
  FAULTS
};

struct Options {
  uint64_t seed;
  unsigned latency_low, latency_high;  // cycles before a burst is answered
  unsigned percent;                    // of cycles in which a channel moves
  uint64_t base, size;                 // of the memory
};

// xorshift64*: the same on every machine.
struct Random {
  uint64_t state;
  explicit Random(uint64_t seed) : state(seed * 0x9E3779B97F4A7C15ull + 1) {}
  uint64_t next() {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545F4914F6CDD1Dull;
  }
  bool chance(unsigned percent) { return percent >= 100 || (next() >> 33) % 100 < percent; }
  unsigned between(unsigned low, unsigned high) { return low + (next() >> 33) % (high - low + 1); }
};

// Inputs of the shell in one cycle.
struct Drive {
  bool resetn = false;
  uint32_t gp_awaddr = 0, gp_awlen = 0, gp_awid = 0, gp_wdata = 0, gp_wstrb = 0;
  uint32_t gp_araddr = 0, gp_arlen = 0, gp_arid = 0;
  bool gp_awvalid = false, gp_wlast = false, gp_wvalid = false, gp_bready = false;
  bool gp_arvalid = false, gp_rready = false;
  bool hp_arready = false, hp_rlast = false, hp_rvalid = false;
  bool hp_awready = false, hp_wready = false, hp_bvalid = false;
  uint64_t hp_rdata = 0;
  uint32_t hp_rresp = 0, hp_rid = 0, hp_bresp = 0, hp_bid = 0;
};

// Outputs of the shell in one cycle.
struct Sense {
  bool irq, gp_awready, gp_wready, gp_bvalid, gp_arready, gp_rlast, gp_rvalid;
  uint32_t gp_bresp, gp_bid, gp_rdata, gp_rresp, gp_rid;
  bool hp_arvalid, hp_rready, hp_awvalid, hp_wlast, hp_wvalid, hp_bready;
  uint32_t hp_araddr, hp_arlen, hp_arid, hp_awaddr, hp_awlen, hp_awid, hp_wstrb, hp_wid;
  uint64_t hp_wdata;
};

// What a simulator implements.
struct Dut {
  virtual ~Dut() {}
  virtual void drive(const Drive &drive) = 0;
  virtual Sense settle() = 0;  // clock low: outputs follow the inputs
  virtual void edge() = 0;     // rising edge
};

struct Burst {
  uint32_t address, length, id;
  uint64_t due;
  uint32_t response;
  uint32_t beat = 0;
  bool misled = false, twice = false;
};

class Board {
 public:
  Board(Dut &dut, const Options &options, uint8_t *memory)
      : dut(dut), options(options), random(options.seed), memory(memory) {}

  uint64_t cycle = 0;
  Sense last{};

  int serve() {
    reset(8);
    uint32_t request[4], reply[2];
    while (fread(request, 4, 4, stdin) == 4) {
      reply[0] = 0;
      reply[1] = 0;
      switch (request[0]) {
        case READ: reply[0] = read(request[1], request[2] & 15, reply[1]); break;
        case WRITE: reply[0] = write(request[1], request[2], request[3]); break;
        case ADVANCE:
          for (uint32_t i = 0; i < request[1]; i++) tick();
          break;
        case CYCLES: reply[1] = cycle >> (request[1] ? 32 : 0); break;
        case RESET: reset(request[1]); break;
        case FAULT: faults[request[1] % FAULTS] = (int)request[2]; break;
        case INTERRUPT: reply[1] = last.irq; break;
        default: reply[0] = 2;
      }
      if (fwrite(reply, 4, 2, stdout) != 2 || fflush(stdout) != 0) return 0;
    }
    return 0;
  }

 private:
  Dut &dut;
  Options options;
  Random random;
  uint8_t *memory;
  Drive drive;
  Sense before{};
  bool was_up = false;
  std::deque<Burst> reads, writes, answers;
  int faults[FAULTS] = {-1, -1, -1, -1, -1};

  [[noreturn]] void violation(const char *what) {
    fprintf(stderr, "AXI violation at cycle %llu: %s\n", (unsigned long long)cycle, what);
    exit(5);
  }

  bool inside(uint64_t address, uint64_t bytes) const {
    return address >= options.base && address + bytes <= options.base + options.size;
  }

  // The fault is due at this burst.
  bool due(Fault fault) { return faults[fault] >= 0 && faults[fault]-- == 0; }

  Burst accept(uint32_t address, uint32_t length, uint32_t id, Fault error, Fault stray) {
    const uint64_t bytes = 8ull * (length + 1);
    if (address % 8) violation("unaligned burst");
    if ((address & 4095) + bytes > 4096) violation("burst crosses 4 KiB");
    Burst burst{address, length, id,
                cycle + random.between(options.latency_low, options.latency_high),
                inside(address, bytes) ? 0u : 3u};
    if (due(error)) burst.response = 2;
    burst.twice = due(stray);
    return burst;
  }

  // A channel of the shell: once valid, it stays as it is until it is taken.
  void check_held(const Sense &now) {
    if (was_up) {
      if (before.hp_arvalid && !drive_before.hp_arready &&
          (!now.hp_arvalid || now.hp_araddr != before.hp_araddr || now.hp_arlen != before.hp_arlen ||
           now.hp_arid != before.hp_arid))
        violation("read address changed before it was taken");
      if (before.hp_awvalid && !drive_before.hp_awready &&
          (!now.hp_awvalid || now.hp_awaddr != before.hp_awaddr || now.hp_awlen != before.hp_awlen ||
           now.hp_awid != before.hp_awid))
        violation("write address changed before it was taken");
      if (before.hp_wvalid && !drive_before.hp_wready &&
          (!now.hp_wvalid || now.hp_wdata != before.hp_wdata || now.hp_wstrb != before.hp_wstrb ||
           now.hp_wlast != before.hp_wlast || now.hp_wid != before.hp_wid))
        violation("write data changed before it was taken");
      if (before.gp_rvalid && !drive_before.gp_rready &&
          (!now.gp_rvalid || now.gp_rdata != before.gp_rdata || now.gp_rlast != before.gp_rlast))
        violation("register data changed before it was taken");
    }
    before = now;
    drive_before = drive;
    was_up = drive.resetn;
  }
  Drive drive_before;

  // The first burst of each id whose time has come; of those, a random one.
  int choose(const std::deque<Burst> &queue) {
    int chosen = -1;
    unsigned candidates = 0;
    uint64_t seen = 0;
    for (size_t i = 0; i < queue.size(); i++) {
      const uint64_t bit = 1ull << (queue[i].id & 63);
      if (!(seen & bit) && queue[i].due <= cycle && random.between(0, candidates++) == 0)
        chosen = (int)i;
      seen |= bit;
    }
    return chosen;
  }

  void offer_read() {
    if (drive.hp_rvalid) return;  // held until taken
    const int index = choose(reads);
    if (index < 0 || !random.chance(options.percent)) return;
    Burst &burst = reads[index];
    const uint64_t at = burst.address + 8ull * burst.beat;
    uint64_t data = 0xDEADBEEFDEADBEEFull;
    if (inside(at, 8)) memcpy(&data, memory + (at - options.base), 8);
    drive.hp_rvalid = true;
    drive.hp_rdata = data;
    drive.hp_rid = burst.id;
    drive.hp_rresp = burst.response;
    drive.hp_rlast = (burst.beat == burst.length) != burst.misled;
    if (burst.beat++ < burst.length) return;
    burst.beat = burst.length;
    if (burst.twice) burst.twice = false;
    else reads.erase(reads.begin() + index);
  }

  void offer_answer() {
    if (drive.hp_bvalid) return;
    const int index = choose(answers);
    if (index < 0 || !random.chance(options.percent)) return;
    drive.hp_bvalid = true;
    drive.hp_bid = answers[index].id;
    drive.hp_bresp = answers[index].response;
    if (answers[index].twice) answers[index].twice = false;
    else answers.erase(answers.begin() + index);
  }

  void take_write(const Sense &now) {
    if (writes.empty()) violation("write data without an address");
    Burst &burst = writes.front();
    if (now.hp_wid != burst.id) violation("write data out of order");
    if (now.hp_wlast != (burst.beat == burst.length)) violation("wrong last beat");
    const uint64_t at = burst.address + 8ull * burst.beat;
    if (burst.response == 0 && inside(at, 8))
      for (int i = 0; i < 8; i++)
        if (now.hp_wstrb >> i & 1) memory[at - options.base + i] = now.hp_wdata >> 8 * i;
    if (burst.beat++ == burst.length) {
      burst.due = cycle + random.between(options.latency_low, options.latency_high);
      answers.push_back(burst);
      writes.pop_front();
    }
  }

  void ask(const Sense &now) {
    Burst burst = accept(now.hp_araddr, now.hp_arlen, now.hp_arid, READ_ERROR, STRAY_BEAT);
    burst.misled = due(LAST);
    reads.push_back(burst);
  }

  void tick() {
    drive.hp_arready = reads.size() < 8 && random.chance(options.percent);
    drive.hp_awready = writes.size() + answers.size() < 8 && random.chance(options.percent);
    drive.hp_wready = !writes.empty() && random.chance(options.percent);
    offer_read();
    offer_answer();
    dut.drive(drive);
    const Sense now = dut.settle();
    check_held(now);
    if (drive.resetn) {
      if (now.hp_arvalid && drive.hp_arready)
        ask(now);
      if (now.hp_wvalid && drive.hp_wready) take_write(now);
      if (now.hp_awvalid && drive.hp_awready)
        writes.push_back(
            accept(now.hp_awaddr, now.hp_awlen, now.hp_awid, WRITE_ERROR, STRAY_ANSWER));
    }
    if (drive.hp_rvalid && now.hp_rready) drive.hp_rvalid = false;
    if (drive.hp_bvalid && now.hp_bready) drive.hp_bvalid = false;
    last = now;
    dut.edge();
    cycle++;
  }

  void reset(uint32_t cycles) {
    drive = Drive();
    reads.clear();
    writes.clear();
    answers.clear();
    for (uint32_t i = 0; i < cycles + 8; i++) tick();
    drive.resetn = true;
    for (int i = 0; i < 40; i++) tick();
  }

  static const int PATIENCE = 10000;

  void pause() {
    for (unsigned i = random.between(0, 3); i > 0; i--) tick();
  }

  uint32_t read(uint32_t address, uint32_t length, uint32_t &value) {
    pause();
    const uint32_t id = random.between(0, 4095);
    drive.gp_araddr = address;
    drive.gp_arlen = length;
    drive.gp_arid = id;
    drive.gp_arvalid = true;
    for (int i = 0;; i++) {
      tick();
      if (last.gp_arready) break;
      if (i > PATIENCE) return 1;
    }
    drive.gp_arvalid = false;
    uint32_t response = 0;
    for (uint32_t beat = 0; beat <= length; beat++) {
      for (int i = 0;; i++) {
        drive.gp_rready = random.chance(60);
        tick();
        if (last.gp_rvalid && drive.gp_rready) break;
        if (i > PATIENCE) return 1;
      }
      if (last.gp_rid != id) violation("register answer with another id");
      if (last.gp_rlast != (beat == length)) violation("wrong last beat of registers");
      response |= last.gp_rresp;
      value = last.gp_rdata;
    }
    drive.gp_rready = false;
    return response ? 3 : 0;
  }

  uint32_t write(uint32_t address, uint32_t value, uint32_t strobes) {
    pause();
    const uint32_t id = random.between(0, 4095);
    bool address_taken = false, data_taken = false;
    drive.gp_awaddr = address;
    drive.gp_awlen = 0;
    drive.gp_awid = id;
    drive.gp_awvalid = true;
    drive.gp_wdata = value;
    drive.gp_wstrb = strobes;
    drive.gp_wlast = true;
    drive.gp_wvalid = random.chance(50);
    for (int i = 0; !address_taken || !data_taken; i++) {
      tick();
      if (drive.gp_awvalid && last.gp_awready) {
        address_taken = true;
        drive.gp_awvalid = false;
      }
      if (drive.gp_wvalid && last.gp_wready) {
        data_taken = true;
        drive.gp_wvalid = false;
      } else if (!data_taken) {
        drive.gp_wvalid = drive.gp_wvalid || random.chance(50);
      }
      if (i > PATIENCE) return 1;
    }
    for (int i = 0;; i++) {
      drive.gp_bready = random.chance(60);
      tick();
      if (last.gp_bvalid && drive.gp_bready) break;
      if (i > PATIENCE) return 1;
    }
    drive.gp_bready = false;
    if (last.gp_bid != id) violation("register answer with another id");
    return last.gp_bresp ? 3 : 0;
  }
};

// Arguments: memory file, base address, size, seed, latency low and high, percent.
inline int run(Dut &dut, int argc, char **argv) {
  if (argc != 8) {
    fprintf(stderr, "usage: board MEMORY BASE SIZE SEED LATENCY LATENCY PERCENT\n");
    return 2;
  }
  Options options;
  options.base = strtoull(argv[2], nullptr, 0);
  options.size = strtoull(argv[3], nullptr, 0);
  options.seed = strtoull(argv[4], nullptr, 0);
  options.latency_low = atoi(argv[5]);
  options.latency_high = atoi(argv[6]);
  options.percent = atoi(argv[7]);
  const int file = open(argv[1], O_RDWR);
  void *memory = file < 0 ? MAP_FAILED
                          : mmap(nullptr, options.size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (memory == MAP_FAILED) {
    fprintf(stderr, "cannot map %s\n", argv[1]);
    return 3;
  }
  Board board(dut, options, static_cast<uint8_t *>(memory));
  return board.serve();
}

}  // namespace qnnc
