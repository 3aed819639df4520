// SPDX-License-Identifier: Apache-2.0
// One stream to many and many to one: copies, channels side by side, channels apart.
#pragma once

#include "qnnc_types.h"

namespace qnnc {

// A stream of VECTORS vectors of WORDS words each, of elements T, or a part of such vectors.
template <class T, int WORDS> struct part {
  typedef T element;
  static const int words = WORDS;
};

template <class... PARTS> struct total_words { static const int value = 0; };
template <class FIRST, class... REST> struct total_words<FIRST, REST...> {
  static const int value = FIRST::words + total_words<REST...>::value;
};

// Every word to every stream.
template <class T, int LANES, int WORDS> struct duplicate {
  typedef word_t<T, LANES> W;

  template <class... OUTPUTS> static void run(stream<W> &in, OUTPUTS &... outputs) {
    for (int i = 0; i < WORDS; i++) {
#pragma HLS PIPELINE II = 1
      give(in.read(), outputs...);
    }
  }
  template <class FIRST, class... REST>
  static void give(const W &w, FIRST &first, REST &... rest) {
#pragma HLS INLINE
    first.write(w);
    give(w, rest...);
  }
  static void give(const W &) {}
};

// Words of the parts in turn, elements converted to Y. The output comes last.
template <class Y, int LANES, int VECTORS, class... PARTS> struct concat {
  template <class... STREAMS> static void run(STREAMS &... streams) {
    for (int vector = 0; vector < VECTORS; vector++) {
      for (int i = 0; i < total_words<PARTS...>::value; i++) {
#pragma HLS PIPELINE II = 1
        take<PARTS...>::from(i, streams...);
      }
    }
  }
  template <class... LEFT> struct take {
    template <class OUTPUT> static void from(int, OUTPUT &) {}
  };
  template <class P, class... LEFT> struct take<P, LEFT...> {
    template <class INPUT, class... STREAMS>
    static void from(int i, INPUT &in, STREAMS &... streams) {
#pragma HLS INLINE
      if (i >= 0 && i < P::words) last(streams...).write(recoded<typename P::element, Y, LANES>::of(in.read()));
      take<LEFT...>::from(i - P::words, streams...);
    }
  };
  template <class OUTPUT> static OUTPUT &last(OUTPUT &out) { return out; }
  template <class INPUT, class... STREAMS>
  static auto last(INPUT &, STREAMS &... streams) -> stream<word_t<Y, LANES> > & {
#pragma HLS INLINE
    return last(streams...);
  }
};

// Each part of a vector to a stream of its own.
template <class T, int LANES, int VECTORS, class... PARTS> struct split {
  typedef word_t<T, LANES> W;

  template <class... OUTPUTS> static void run(stream<W> &in, OUTPUTS &... outputs) {
    for (int vector = 0; vector < VECTORS; vector++) {
      for (int i = 0; i < total_words<PARTS...>::value; i++) {
#pragma HLS PIPELINE II = 1
        give<PARTS...>::to(i, in.read(), outputs...);
      }
    }
  }
  template <class... LEFT> struct give {
    static void to(int, const W &) {}
  };
  template <class P, class... LEFT> struct give<P, LEFT...> {
    template <class FIRST, class... REST>
    static void to(int i, const W &w, FIRST &first, REST &... rest) {
#pragma HLS INLINE
      if (i >= 0 && i < P::words) first.write(w);
      give<LEFT...>::to(i - P::words, w, rest...);
    }
  };
};

}  // namespace qnnc
