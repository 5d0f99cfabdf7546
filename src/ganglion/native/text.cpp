// Counts the n-grams of texts in numbered buckets, and weighs them.
#include "text.hpp"

#include <algorithm>
#include <cmath>

namespace ganglion {

namespace {

constexpr uint64_t BASIS = 0xCBF29CE484222325u, PRIME = 0x100000001B3u, MIXER = 0x9E3779B97F4A7C15u;
constexpr uint64_t WORDS = 1, CHARACTERS = 2;  // what a hash begins with
constexpr uint32_t BEGIN = 2, END = 3, BLANK = 32;

uint64_t joined(uint64_t hash, uint64_t next) { return (hash ^ next) * PRIME; }

// Decodes valid UTF-8.
uint32_t next_point(const uint8_t*& at) {
    const uint32_t first = *at++;
    if (first < 0x80) return first;
    const int more = first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
    uint32_t point = first & (0x3Fu >> more);
    for (int i = 0; i < more; ++i) point = point << 6 | (*at++ & 0x3Fu);
    return point;
}

// Counts what is in one text: a table with open addresses, as large as the text can need, and never larger
// than the number of buckets, where no two of them meet.
class Counter {
public:
    explicit Counter(unsigned bits) : bits_(bits) {}

    void begin(size_t most) {  // most n-grams that are to come
        size_t size = 64;
        while (size < 2 * most && size < size_t(1) << bits_) size *= 2;
        mask_ = static_cast<uint32_t>(size - 1);
        slots_.assign(size, {});
        if (buckets_.size() < std::min(most, size)) {
            buckets_.resize(std::min(most, size));
            counts_.resize(buckets_.size());
        }
        found_ = 0;
    }

    void add(uint64_t hash) {
        hash ^= hash >> 32;
        const uint32_t bucket = static_cast<uint32_t>(hash * MIXER >> (64 - bits_));
        for (uint32_t at = bucket & mask_;; at = (at + 1) & mask_) {
            Slot& slot = slots_[at];
            if (!slot.place) {
                buckets_[found_] = bucket;
                counts_[found_] = 1;
                slot = {bucket, ++found_};
                return;
            }
            if (slot.bucket == bucket) {
                ++counts_[slot.place - 1];
                return;
            }
        }
    }

    void end(Counted& found) const {
        found.buckets.insert(found.buckets.end(), buckets_.data(), buckets_.data() + found_);
        found.counts.insert(found.counts.end(), counts_.data(), counts_.data() + found_);
        found.offsets.push_back(static_cast<int64_t>(found.buckets.size()));
    }

private:
    struct Slot {
        uint32_t bucket, place;  // the place in order of coming, from 1; 0 of an empty slot
    };

    std::vector<Slot> slots_;
    std::vector<uint32_t> buckets_, counts_;
    uint32_t mask_ = 0, found_ = 0;
    unsigned bits_;
};

// The words of one text: code points, and where each word ends.
struct Words {
    std::vector<uint32_t> points;
    std::vector<size_t> ends;
    std::vector<bool> signs;

    void read(const uint8_t* at, const uint8_t* stop, const uint8_t* letters) {
        points.clear();
        ends.clear();
        signs.clear();
        bool open = false;
        while (at < stop) {
            const uint32_t point = next_point(at);
            const Letter letter = static_cast<Letter>(letters[point]);
            if (letter == Letter::nothing) continue;
            if (open && letter != Letter::word) close(false);
            open = letter == Letter::word;
            if (letter == Letter::gap) continue;
            points.push_back(point);
            if (letter == Letter::sign) close(true);
        }
        if (open) close(false);
    }

private:
    void close(bool sign) {
        ends.push_back(points.size());
        signs.push_back(sign);
    }
};

void count_words(const Words& words, const Grams& grams, Counter& counter) {
    for (size_t first = 0; first < words.ends.size(); ++first) {
        uint64_t hash = joined(BASIS, WORDS);
        for (size_t length = 1; length <= grams.most && first + length <= words.ends.size(); ++length) {
            const size_t word = first + length - 1;
            if (length > 1) hash = joined(hash, BLANK);
            for (size_t i = word ? words.ends[word - 1] : 0; i < words.ends[word]; ++i)
                hash = joined(hash, words.points[i]);
            if (length >= grams.least) counter.add(hash);
        }
    }
}

void count_characters(const Words& words, const Grams& grams, Counter& counter) {
    std::vector<uint32_t> marked;  // a word with a mark before and after it
    for (size_t word = 0, begin = 0; word < words.ends.size(); begin = words.ends[word++]) {
        if (words.signs[word]) continue;
        marked.assign(1, BEGIN);
        marked.insert(marked.end(), &words.points[begin], &words.points[begin] + (words.ends[word] - begin));
        marked.push_back(END);
        for (size_t first = 0; first < marked.size(); ++first) {
            const size_t most = std::min(grams.most, marked.size() - first);
            uint64_t hash = joined(BASIS, CHARACTERS);
            for (size_t size = 1; size <= most; ++size) {
                hash = joined(hash, marked[first + size - 1]);
                if (size >= grams.least) counter.add(hash);
            }
        }
    }
}

}  // namespace

void count_grams(const uint8_t* texts, const int64_t* ends, size_t count, const uint8_t* letters,
                 const Grams& grams, Counted& found) {
    Counter counter(grams.bits);
    Words words;
    found.offsets.push_back(0);
    const uint8_t* at = texts;
    for (size_t i = 0; i < count; ++i) {
        words.read(at, texts + ends[i], letters);
        at = texts + ends[i];
        const size_t units =
            grams.characters ? words.points.size() + 2 * words.ends.size() : words.ends.size();
        counter.begin(units * (grams.most - grams.least + 1));
        if (grams.characters) count_characters(words, grams, counter);
        else count_words(words, grams, counter);
        counter.end(found);
    }
}

void weigh_grams(const std::vector<Part>& parts, size_t texts, const int32_t* rows, const double* rare,
                 const double* damped, int64_t* found, int64_t* offsets, float* weights) {
    std::vector<double> exact;
    size_t end = 0;
    offsets[0] = 0;
    for (size_t text = 0; text < texts; ++text) {
        found[end] = 0;
        weights[end++] = 1;
        for (const Part& part : parts) {
            const size_t first = end;
            double squares = 0;
            exact.clear();
            for (int64_t i = part.offsets[text]; i < part.offsets[text + 1]; ++i) {
                const int32_t row = rows[part.buckets[i]];
                if (!row) continue;
                const double weight = damped[static_cast<size_t>(part.counts[i]) - 1] * rare[row];
                squares += weight * weight;
                exact.push_back(weight);
                found[end++] = row;
            }
            const double norm = std::sqrt(squares);
            for (size_t i = 0; i < exact.size(); ++i)
                weights[first + i] = static_cast<float>(exact[i] / norm);
        }
        offsets[text + 1] = static_cast<int64_t>(end);
    }
}

}  // namespace ganglion
