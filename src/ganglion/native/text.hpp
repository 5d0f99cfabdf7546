// Counts the n-grams of texts in numbered buckets, and weighs them; ganglion/text/grams.py is the definition.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ganglion {

enum class Letter : uint8_t { gap, word, sign, nothing };  // the classes of code points, as in letters.py

// How texts become n-grams: runs of words, or of the code points inside each word.
struct Grams {
    bool characters;
    size_t least, most;  // the lengths
    unsigned bits;       // there are 2^bits buckets
};

// Rows of buckets and how often each occurs, in the order in which they first occur.
struct Counted {
    std::vector<uint32_t> buckets, counts;
    std::vector<int64_t> offsets;
};

// Counts the n-grams of each text; text i ends before ends[i] and begins where the one before ends.
// `letters` holds a class for each code point.
void count_grams(const uint8_t* texts, const int64_t* ends, size_t count, const uint8_t* letters,
                 const Grams& grams, Counted& found);

// What was counted in one part of some texts; row i ends before offsets[i + 1].
struct Part {
    const int64_t *buckets, *offsets;
    const float* counts;
};

// Rows of a table for each text and their weights; ganglion/text/weighing.py is the definition. `damped`
// holds the factor of each count from 1. `found` and `weights` have room for all that was counted and one
// number for each text.
void weigh_grams(const std::vector<Part>& parts, size_t texts, const int32_t* rows, const double* rare,
                 const double* damped, int64_t* found, int64_t* offsets, float* weights);

}  // namespace ganglion
