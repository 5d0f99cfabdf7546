// Counts the n-grams of texts in numbered buckets, and weighs them; ganglion/text/grams.py is the definition.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

#include "description.hpp"

namespace ganglion {

enum class Letter : uint8_t { gap, word, sign, nothing };  // the classes of code points, as in letters.py

// How texts become n-grams: runs of words, or of the code points inside each word.
struct Grams {
    bool characters;
    size_t least, most;  // the lengths
    unsigned bits;       // there are 2^bits buckets
    bool in_order;       // whether each is listed as often as it occurs, and not counted
};

// Numbers one after the other, as many as come: memory that is neither set to 0 nor, if large, copied to
// grow.
template <class T>
class Growing {
public:
    Growing() = default;
    Growing(Growing&& other) noexcept { swap(other); }
    Growing& operator=(Growing&& other) noexcept {
        swap(other);
        return *this;
    }
    ~Growing() { std::free(data_); }

    T* data() const { return data_; }
    size_t size() const { return size_; }
    // Gives room for `size` numbers in all.
    void reserve(size_t size) {
        if (size > room_) allocate(larger_of(size, room_ + room_ / 2));
    }
    // Sets how many numbers there are, for which there is room.
    void resize(size_t size) { size_ = size; }
    void push(T value) {
        reserve(size_ + 1);
        data_[size_++] = value;
    }
    void append(const Growing& other) {
        reserve(size_ + other.size_);
        if (other.size_) std::memcpy(data_ + size_, other.data_, other.size_ * sizeof(T));
        size_ += other.size_;
    }
    void shrink() { allocate(size_); }
    // Leaves the memory to the caller, who frees it.
    T* release() {
        T* const data = data_;
        data_ = nullptr, size_ = room_ = 0;
        return data;
    }

private:
    static size_t larger_of(size_t a, size_t b) { return a > b ? a : b; }
    void allocate(size_t room) {
        void* const data = std::realloc(data_, larger_of(room, 1) * sizeof(T));
        if (!data) throw std::bad_alloc();
        data_ = static_cast<T*>(data), room_ = room;
    }
    void swap(Growing& other) {
        std::swap(data_, other.data_), std::swap(size_, other.size_), std::swap(room_, other.room_);
    }

    T* data_ = nullptr;
    size_t size_ = 0, room_ = 0;
};

// The buckets of some texts and how often each occurs, in the order in which they first occur; those of text
// i begin at offsets[i].
struct Counted {
    Growing<int64_t> buckets;
    Growing<float> counts;
    Growing<int64_t> offsets;
};

// Counts the n-grams of each text; text i ends before ends[i] and begins where the one before ends.
// `letters` holds a class for each code point. The team works on several texts at once.
Counted count_grams(const uint8_t* texts, const int64_t* ends, size_t count, const uint8_t* letters,
                    const Grams& grams, Team& team);

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
