// Counts the n-grams of texts in numbered buckets.
#include "text.hpp"

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

// Counts what is in one text, and is zero again before the next.
class Counter {
public:
    Counter(std::vector<uint32_t>& counts, Counted& found, unsigned bits)
        : counts_(counts), found_(found), bits_(bits) {
        if (counts_.size() < size_t(1) << bits) counts_.resize(size_t(1) << bits);
    }

    Counter(const Counter&) = delete;
    Counter& operator=(const Counter&) = delete;
    ~Counter() {  // also if there was no memory for what was found
        for (size_t i = found_.counts.size(); i < found_.buckets.size(); ++i) counts_[found_.buckets[i]] = 0;
    }

    void add(uint64_t hash) {
        hash ^= hash >> 32;
        const uint32_t bucket = static_cast<uint32_t>(hash * MIXER >> (64 - bits_));
        if (!counts_[bucket]++) found_.buckets.push_back(bucket);
    }

    void end_text() {
        for (size_t i = found_.counts.size(); i < found_.buckets.size(); ++i) {
            found_.counts.push_back(counts_[found_.buckets[i]]);
            counts_[found_.buckets[i]] = 0;
        }
        found_.offsets.push_back(static_cast<int64_t>(found_.buckets.size()));
    }

private:
    std::vector<uint32_t>& counts_;
    Counted& found_;
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
    for (size_t word = 0, begin = 0; word < words.ends.size(); begin = words.ends[word++]) {
        if (words.signs[word]) continue;
        const size_t length = words.ends[word] - begin + 2;  // with a mark before and after it
        const auto point = [&](size_t i) {
            return i == 0 ? BEGIN : i == length - 1 ? END : words.points[begin + i - 1];
        };
        for (size_t first = 0; first < length; ++first) {
            uint64_t hash = joined(BASIS, CHARACTERS);
            for (size_t size = 1; size <= grams.most && first + size <= length; ++size) {
                hash = joined(hash, point(first + size - 1));
                if (size >= grams.least) counter.add(hash);
            }
        }
    }
}

}  // namespace

void count_grams(const uint8_t* texts, const int64_t* ends, size_t count, const uint8_t* letters,
                 const Grams& grams, Counted& found) {
    thread_local std::vector<uint32_t> counts;
    Counter counter(counts, found, grams.bits);
    Words words;
    found.offsets.push_back(0);
    const uint8_t* at = texts;
    for (size_t i = 0; i < count; ++i) {
        words.read(at, texts + ends[i], letters);
        at = texts + ends[i];
        if (grams.characters) count_characters(words, grams, counter);
        else count_words(words, grams, counter);
        counter.end_text();
    }
}

}  // namespace ganglion
