// Counts the n-grams of texts in numbered buckets, and weighs them.
#include "text.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <new>
#include <utility>

namespace ganglion {

namespace {

constexpr uint64_t BASIS = 0xCBF29CE484222325u, PRIME = 0x100000001B3u, MIXER = 0x9E3779B97F4A7C15u;
constexpr uint64_t WORDS = 1, CHARACTERS = 2;  // what a hash begins with
constexpr uint32_t BEGIN = 2, END = 3, BLANK = 32;
constexpr size_t BYTES_FOR_A_THREAD = 1 << 16;

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

// Counts what is in some texts, one after the other: a table with open addresses says where in the result
// each bucket of the text is. It is never larger than the number of buckets, where no two of them meet, and
// what it says of earlier texts is told by places before this one's first.
class Counter {
public:
    Counter(unsigned bits, Counted& found) : found_(found), mask_((size_t(1) << bits) - 1) {}

    // Lists the buckets of the n-grams of one text in order.
    void list(const std::vector<uint32_t>& grams) {
        const size_t end = found_.buckets.size() + grams.size();
        found_.buckets.reserve(end);
        found_.counts.reserve(end);
        for (size_t i = 0; i < grams.size(); ++i) {
            found_.buckets.data()[end - grams.size() + i] = grams[i];
            found_.counts.data()[end - grams.size() + i] = 1;
        }
        found_.buckets.resize(end);
        found_.counts.resize(end);
        found_.offsets.push(static_cast<int64_t>(end));
    }

    // Counts the buckets of the n-grams of one text.
    void count(const std::vector<uint32_t>& grams) {
        size_t size = 64;
        while (size < SPARSE * grams.size() && size <= mask_) size *= 2;
        if (size > slots_.size()) slots_.resize(size);
        const size_t begin = found_.buckets.size(), mask = size - 1;
        found_.buckets.reserve(begin + grams.size() + 1);
        found_.counts.reserve(begin + grams.size() + 1);
        Slot* const slots = slots_.data();
        int64_t* const buckets = found_.buckets.data();
        float* const counts = found_.counts.data();
        size_t end = begin;
        for (const uint32_t bucket : grams) {
            // Whether a bucket is known cannot be foretold: masks instead of branches.
            size_t at = bucket & mask;
            uint32_t known = -uint32_t(slots[at].end > begin);
            while (known & (slots[at].bucket ^ bucket)) {
                at = (at + 1) & mask;
                known = -uint32_t(slots[at].end > begin);
            }
            const uint32_t place = (slots[at].end & known) | (static_cast<uint32_t>(end + 1) & ~known);
            const uint32_t count = (slots[at].count & known) + 1;
            slots[at] = {place, bucket, count};
            buckets[place - 1] = bucket;
            counts[place - 1] = static_cast<float>(count);
            end += !known;
        }
        found_.buckets.resize(end);
        found_.counts.resize(end);
        found_.offsets.push(static_cast<int64_t>(end));
    }

private:
    static constexpr size_t SPARSE = 2;
    struct Slot {
        uint32_t end, bucket, count;  // the place after it in the result
    };

    std::vector<Slot> slots_;
    Counted& found_;
    size_t mask_;
};

// The words of one text: code points, and where each word ends.
struct Words {
    std::vector<uint32_t> points;
    std::vector<size_t> ends;
    std::vector<uint8_t> signs;

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

// Finds the buckets of the n-grams of one text.
class Hasher {
public:
    explicit Hasher(const Grams& grams) : grams_(grams) {}

    const std::vector<uint32_t>& buckets(const Words& words) {
        found_.resize((words.points.size() + 2 * words.ends.size()) * (grams_.most - grams_.least + 1));
        uint32_t* end = found_.data();
        grams_.characters ? of_characters(words, end) : of_words(words, end);
        found_.resize(static_cast<size_t>(end - found_.data()));
        return found_;
    }

private:
    uint32_t bucket(uint64_t hash) const {
        return static_cast<uint32_t>((hash ^ hash >> 32) * MIXER >> (64 - grams_.bits));
    }

    void of_words(const Words& words, uint32_t*& end) const {
        for (size_t first = 0; first < words.ends.size(); ++first) {
            uint64_t hash = joined(BASIS, WORDS);
            for (size_t length = 1; length <= grams_.most && first + length <= words.ends.size(); ++length) {
                const size_t word = first + length - 1;
                if (length > 1) hash = joined(hash, BLANK);
                for (size_t i = word ? words.ends[word - 1] : 0; i < words.ends[word]; ++i)
                    hash = joined(hash, words.points[i]);
                if (length >= grams_.least) *end++ = bucket(hash);
            }
        }
    }

    void of_characters(const Words& words, uint32_t*& end) {
        marked_.resize(words.points.size() + 2);  // a word with a mark before and after it
        marked_[0] = BEGIN;
        for (size_t word = 0, begin = 0; word < words.ends.size(); begin = words.ends[word++]) {
            if (words.signs[word]) continue;
            const size_t size = words.ends[word] - begin + 2;
            for (size_t i = 0; i + 2 < size; ++i) marked_[i + 1] = words.points[begin + i];
            marked_[size - 1] = END;
            for (size_t first = 0; first < size; ++first) {
                const size_t most = std::min(grams_.most, size - first);
                uint64_t hash = joined(BASIS, CHARACTERS);
                for (size_t length = 1; length <= most; ++length) {
                    hash = joined(hash, marked_[first + length - 1]);
                    if (length >= grams_.least) *end++ = bucket(hash);
                }
            }
        }
    }

    Grams grams_;
    std::vector<uint32_t> found_, marked_;
};

void count_some(const uint8_t* texts, const int64_t* ends, size_t first, size_t last, const uint8_t* letters,
                const Grams& grams, Counted& found) {
    Counter counter(grams.bits, found);
    Hasher hasher(grams);
    Words words;
    for (size_t i = first; i < last; ++i) {
        words.read(texts + (i ? ends[i - 1] : 0), texts + ends[i], letters);
        const std::vector<uint32_t>& buckets = hasher.buckets(words);
        grams.in_order ? counter.list(buckets) : counter.count(buckets);
    }
}

// Returns the results of all parts as one.
Counted joined(std::vector<Counted> parts) {
    Counted whole = std::move(parts[0]);
    size_t size = whole.buckets.size();
    for (size_t i = 1; i < parts.size(); ++i) size += parts[i].buckets.size();
    whole.buckets.reserve(size);
    whole.counts.reserve(size);
    for (size_t i = 1; i < parts.size(); ++i) {
        const int64_t before = static_cast<int64_t>(whole.buckets.size());
        whole.buckets.append(parts[i].buckets);
        whole.counts.append(parts[i].counts);
        for (size_t j = 0; j < parts[i].offsets.size(); ++j)
            whole.offsets.push(before + parts[i].offsets.data()[j]);
        parts[i] = {};
    }
    whole.buckets.shrink();
    whole.counts.shrink();
    return whole;
}

}  // namespace

Counted count_grams(const uint8_t* texts, const int64_t* ends, size_t count, const uint8_t* letters,
                    const Grams& grams, Team& team) {
    const size_t bytes = count ? static_cast<size_t>(ends[count - 1]) : 0,
                 pieces = std::max<size_t>(1, std::min(team.size(), bytes / BYTES_FOR_A_THREAD));
    std::vector<size_t> starts = {0};  // the first text of each piece
    for (size_t i = 1; i <= pieces; ++i)
        starts.push_back(static_cast<size_t>(
            std::lower_bound(ends, ends + count, static_cast<int64_t>(bytes * i / pieces)) - ends + 1));
    starts[pieces] = count;
    std::vector<Counted> found(pieces);
    found[0].offsets.push(0);
    std::atomic<bool> failed = false;
    auto work = [&](size_t piece) {
        try {
            count_some(texts, ends, starts[piece], starts[piece + 1], letters, grams, found[piece]);
        } catch (const std::bad_alloc&) {  // which must not leave the thread
            failed = true;
        }
    };
    team.run(
        found.size(),
        [](void* context, size_t piece, size_t) { (*static_cast<decltype(work)*>(context))(piece); }, &work);
    if (failed) throw std::bad_alloc();
    return joined(std::move(found));
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
