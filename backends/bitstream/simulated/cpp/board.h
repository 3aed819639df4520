// SPDX-License-Identifier: Apache-2.0
// A board around the shell: the processing system's GP0 port, which reads and
// writes registers, and its HP ports with memory behind them. Latencies and
// pauses are random; bursts with different ids may overtake each other, as AXI
// allows, and so may those of different ports. What the shell does is held
// against AXI's rules.
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

#ifndef QNNC_PORTS
#define QNNC_PORTS 1  // to memory; the first one is HP0
#endif

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
  STRAY_BEAT,    // one beat too many follows a read burst
  STRAY_ANSWER,  // one response too many follows a write burst
  UNASKED,       // a write response follows a read burst of the last port
  FAULTS
};

struct Options {
  uint64_t seed;
  unsigned latency_low, latency_high;  // cycles before a burst is answered
  unsigned percent;                    // of cycles in which a channel moves
  uint64_t base, size;                 // of the memory
  int rate;  // of the memory, hundredths of beats per cycle over all ports; 0: no limit
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

// Inputs of the shell in one cycle, at a port to memory and in all.
struct PortDrive {
  bool arready = false, rlast = false, rvalid = false;
  bool awready = false, wready = false, bvalid = false;
  uint64_t rdata = 0;
  uint32_t rresp = 0, rid = 0, bresp = 0, bid = 0;
};
struct Drive {
  bool resetn = false;
  uint32_t gp_awaddr = 0, gp_awlen = 0, gp_awid = 0, gp_wdata = 0, gp_wstrb = 0;
  uint32_t gp_araddr = 0, gp_arlen = 0, gp_arid = 0;
  bool gp_awvalid = false, gp_wlast = false, gp_wvalid = false, gp_bready = false;
  bool gp_arvalid = false, gp_rready = false;
  PortDrive hp[QNNC_PORTS];
};

// Outputs of the shell in one cycle, at a port to memory and in all.
struct PortSense {
  bool arvalid, rready, awvalid, wlast, wvalid, bready;
  uint32_t araddr, arlen, arid, awaddr, awlen, awid, wstrb, wid;
  uint64_t wdata;
};
struct Sense {
  bool irq, gp_awready, gp_wready, gp_bvalid, gp_arready, gp_rlast, gp_rvalid;
  uint32_t gp_bresp, gp_bid, gp_rdata, gp_rresp, gp_rid;
  PortSense hp[QNNC_PORTS];
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
  struct Port {
    std::deque<Burst> reads, writes, answers;
  };
  Port ports[QNNC_PORTS];
  int faults[FAULTS] = {-1, -1, -1, -1, -1, -1};
  int credit = 0;  // hundredths of beats that memory may move

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
  void check_held(const PortSense &was, const PortSense &now, const PortDrive &driven) {
    if (was.arvalid && !driven.arready &&
        (!now.arvalid || now.araddr != was.araddr || now.arlen != was.arlen ||
         now.arid != was.arid))
      violation("read address changed before it was taken");
    if (was.awvalid && !driven.awready &&
        (!now.awvalid || now.awaddr != was.awaddr || now.awlen != was.awlen ||
         now.awid != was.awid))
      violation("write address changed before it was taken");
    if (was.wvalid && !driven.wready &&
        (!now.wvalid || now.wdata != was.wdata || now.wstrb != was.wstrb ||
         now.wlast != was.wlast || now.wid != was.wid))
      violation("write data changed before it was taken");
  }

  void check_held(const Sense &now) {
    if (was_up) {
      for (int i = 0; i < QNNC_PORTS; i++)
        check_held(before.hp[i], now.hp[i], drive_before.hp[i]);
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

  // Memory moves a beat, if its bandwidth allows one.
  bool moves() const { return options.rate == 0 || credit >= 100; }
  void moved() {
    if (options.rate) credit -= 100;
  }

  void offer_read(Port &port, PortDrive &hp) {
    if (hp.rvalid || !moves()) return;  // held until taken
    const int index = choose(port.reads);
    if (index < 0 || !random.chance(options.percent)) return;
    Burst &burst = port.reads[index];
    const uint64_t at = burst.address + 8ull * burst.beat;
    uint64_t data = 0xDEADBEEFDEADBEEFull;
    if (inside(at, 8)) memcpy(&data, memory + (at - options.base), 8);
    moved();
    hp.rvalid = true;
    hp.rdata = data;
    hp.rid = burst.id;
    hp.rresp = burst.response;
    hp.rlast = (burst.beat == burst.length) != burst.misled;
    if (burst.beat++ < burst.length) return;
    burst.beat = burst.length;
    if (burst.twice) burst.twice = false;
    else port.reads.erase(port.reads.begin() + index);
  }

  void offer_answer(Port &port, PortDrive &hp) {
    if (hp.bvalid) return;
    const int index = choose(port.answers);
    if (index < 0 || !random.chance(options.percent)) return;
    Burst &answer = port.answers[index];
    hp.bvalid = true;
    hp.bid = answer.id;
    hp.bresp = answer.response;
    if (answer.twice) answer.twice = false;
    else port.answers.erase(port.answers.begin() + index);
  }

  void take_write(Port &port, const PortSense &now) {
    if (port.writes.empty()) violation("write data without an address");
    Burst &burst = port.writes.front();
    if (now.wid != burst.id) violation("write data out of order");
    if (now.wlast != (burst.beat == burst.length)) violation("wrong last beat");
    const uint64_t at = burst.address + 8ull * burst.beat;
    if (burst.response == 0 && inside(at, 8))
      for (int i = 0; i < 8; i++)
        if (now.wstrb >> i & 1) memory[at - options.base + i] = now.wdata >> 8 * i;
    if (burst.beat++ == burst.length) {
      burst.due = cycle + random.between(options.latency_low, options.latency_high);
      port.answers.push_back(burst);
      port.writes.pop_front();
    }
  }

  void ask(Port &port, const PortSense &now) {
    Burst burst = accept(now.araddr, now.arlen, now.arid, READ_ERROR, STRAY_BEAT);
    burst.misled = due(LAST);
    port.reads.push_back(burst);
    if (&port == &ports[QNNC_PORTS - 1] && due(UNASKED))
      port.answers.push_back(Burst{0, 0, 0, cycle, 0});
  }

  // What a port offers in this cycle.
  void offer(Port &port, PortDrive &hp) {
    hp.arready = port.reads.size() < 8 && random.chance(options.percent);
    hp.awready =
        port.writes.size() + port.answers.size() < 8 && random.chance(options.percent);
    hp.wready = !port.writes.empty() && random.chance(options.percent) && moves();
    offer_read(port, hp);
    offer_answer(port, hp);
  }

  // What a port takes in this cycle.
  void take(Port &port, const PortDrive &hp, const PortSense &now) {
    if (now.arvalid && hp.arready) ask(port, now);
    if (now.wvalid && hp.wready) {
      moved();
      take_write(port, now);
    }
    if (now.awvalid && hp.awready)
      port.writes.push_back(accept(now.awaddr, now.awlen, now.awid, WRITE_ERROR, STRAY_ANSWER));
  }

  void tick() {
    credit = credit + options.rate < BURST ? credit + options.rate : BURST;
    for (int i = 0; i < QNNC_PORTS; i++) {
      const int turn = (i + cycle) % QNNC_PORTS;  // none is always the first
      offer(ports[turn], drive.hp[turn]);
    }
    dut.drive(drive);
    const Sense now = dut.settle();
    check_held(now);
    for (int i = 0; i < QNNC_PORTS; i++) {
      PortDrive &hp = drive.hp[i];
      if (drive.resetn) take(ports[i], hp, now.hp[i]);
      if (hp.rvalid && now.hp[i].rready) hp.rvalid = false;
      if (hp.bvalid && now.hp[i].bready) hp.bvalid = false;
    }
    last = now;
    dut.edge();
    cycle++;
  }

  void reset(uint32_t cycles) {
    drive = Drive();
    for (Port &port : ports) port = Port();
    for (uint32_t i = 0; i < cycles + 8; i++) tick();
    drive.resetn = true;
    for (int i = 0; i < 40; i++) tick();
  }

  static const int PATIENCE = 10000;
  static const int BURST = 3200;  // the most credit that memory gathers

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

// Arguments: memory file, base address, size, seed, latency low and high, percent, rate.
inline int run(Dut &dut, int argc, char **argv) {
  if (argc != 9) {
    fprintf(stderr, "usage: board MEMORY BASE SIZE SEED LATENCY LATENCY PERCENT RATE\n");
    return 2;
  }
  Options options;
  options.base = strtoull(argv[2], nullptr, 0);
  options.size = strtoull(argv[3], nullptr, 0);
  options.seed = strtoull(argv[4], nullptr, 0);
  options.latency_low = atoi(argv[5]);
  options.latency_high = atoi(argv[6]);
  options.percent = atoi(argv[7]);
  options.rate = atoi(argv[8]);
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
