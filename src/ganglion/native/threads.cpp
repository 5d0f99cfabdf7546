// A small pool of threads, which spin for a moment when they run out of work, then sleep.
//
// Each thread has its own range of the pieces of a job, the same in every job, so that its data is still in
// its cache. A range is a single number, the ticket: the number of the job, the end of the range, and the
// next piece. A thread that increments a ticket owns that piece; threads that are done help the others. So no
// job waits for a sleeping thread.
#include "threads.hpp"

#if !defined(_WIN32)
#include <pthread.h>
#include <signal.h>
#endif

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

namespace ganglion {
namespace {

using Handle = std::thread::native_handle_type;
constexpr auto SPIN_TIME = std::chrono::microseconds(200);

void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

// The floating-point mode of the calling thread: rounding, and the treatment of subnormal numbers.
#if defined(__x86_64__)
constexpr uint64_t FLUSHES = 0x8040;  // subnormal results become 0, subnormal operands count as 0
uint64_t floating_mode() { return __builtin_ia32_stmxcsr(); }
void set_floating_mode(uint64_t mode) { __builtin_ia32_ldmxcsr(static_cast<unsigned>(mode)); }
#elif defined(__aarch64__)
constexpr uint64_t FLUSHES = 1 << 24;
uint64_t floating_mode() {
    uint64_t mode;
    asm volatile("mrs %0, fpcr" : "=r"(mode));
    return mode;
}
void set_floating_mode(uint64_t mode) { asm volatile("msr fpcr, %0" : : "r"(mode)); }
#else
constexpr uint64_t FLUSHES = 0;
uint64_t floating_mode() { return 0; }
void set_floating_mode(uint64_t) {}
#endif

// Where threads run. Linux starts and often wakes a thread on the processor of the calling thread, and takes
// milliseconds to move it; until then the two would take turns. Therefore the other threads may not use the
// caller's processor, as long as there are enough processors.
#if defined(__linux__)
int processor() { return sched_getcpu(); }
class Processors {
public:
    Processors() { known_ = pthread_getaffinity_np(pthread_self(), sizeof set_, &set_) == 0; }
    void keep_off(int processor, Handle thread, std::size_t threads) const {
        if (!known_ || processor < 0 || processor >= CPU_SETSIZE) return;
        cpu_set_t others = set_;
        CPU_CLR(processor, &others);
        const bool enough = static_cast<std::size_t>(CPU_COUNT(&others)) >= threads;
        pthread_setaffinity_np(thread, sizeof others, enough ? &others : &set_);
    }

private:
    cpu_set_t set_;  // the processors that the calling thread may use
    bool known_;
};
#else
int processor() { return -1; }
struct Processors {
    void keep_off(int, Handle, std::size_t) const {}
};
#endif

constexpr uint64_t MOST_PIECES = 0xFFFF;

uint64_t make_ticket(uint64_t number, uint64_t first, uint64_t end) {
    return number << 32 | end << 16 | first;
}
bool has_piece(uint64_t ticket) { return (ticket & MOST_PIECES) < (ticket >> 16 & MOST_PIECES); }

struct alignas(64) Range {
    std::atomic<uint64_t> ticket{0};
    Handle thread{};  // its owner
};

// Blocks all signals for threads started during its lifetime: signals are for Python's threads.
#if defined(_WIN32)
struct SignalsBlocked {};
#else
class SignalsBlocked {
public:
    SignalsBlocked() {
        sigset_t every;
        sigfillset(&every);
        pthread_sigmask(SIG_SETMASK, &every, &before_);
    }
    ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

private:
    sigset_t before_;
};
#endif

class Alone final : public Team {
public:
    std::size_t size() const override { return 1; }
    void run(std::size_t pieces, void (*work)(void*, std::size_t, std::size_t), void* context) override {
        for (std::size_t piece = 0; piece < pieces; ++piece) work(context, piece, 0);
    }
};

class Pool final : public Team {
public:
    explicit Pool(std::size_t size) : size_(size), ranges_(std::make_unique<Range[]>(size)) {}

    std::size_t size() const override { return size_; }

    void run(std::size_t pieces, void (*work)(void*, std::size_t, std::size_t), void* context) override {
        if (!started_) start();
        if (const int own = processor(); own != processor_) {
            processor_ = own;
            for (std::size_t worker = 1; worker <= started_threads_; ++worker)
                processors_->keep_off(own, ranges_[worker].thread, started_threads_);
        }
        for (std::size_t first = 0; first < pieces; first += MOST_PIECES) {
            const std::size_t count = pieces - first < MOST_PIECES ? pieces - first : MOST_PIECES;
            work_ = work;
            context_ = context;
            first_ = first;
            mode_ = floating_mode();
            completed_.store(0, std::memory_order_relaxed);
            ++number_;
            for (std::size_t worker = size_; worker-- > 0;)
                ranges_[worker].ticket.store(
                    make_ticket(number_, count * worker / size_, count * (worker + 1) / size_));
            if (sleeping_.load() > 0) {
                {
                    const std::lock_guard<std::mutex> lock(mutex_);
                }
                awake_.notify_all();
            }
            take_pieces(0);
            for (unsigned turns = 0; completed_.load(std::memory_order_acquire) < count; ++turns)
                if (turns < 20000) pause();
                else std::this_thread::yield();
        }
    }

    std::atomic<bool> lent{false};

private:
    void start() {
        processors_.emplace();
        [[maybe_unused]] const SignalsBlocked blocked;
        for (std::size_t worker = 1; worker < size_; ++worker) try {
                std::thread thread([this, worker] { serve(worker); });
                ranges_[worker].thread = thread.native_handle();
                thread.detach();
                ++started_threads_;
            } catch (const std::system_error&) {
                break;  // no more threads are available: use those already started
            }
        started_ = true;
    }

    void take_pieces(std::size_t worker) {
        for (std::size_t other = 0; other < size_; ++other) {
            std::atomic<uint64_t>& shared = ranges_[(worker + other) % size_].ticket;
            uint64_t ticket = shared.load(std::memory_order_acquire);
            while (has_piece(ticket))
                if (shared.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel,
                                                 std::memory_order_acquire)) {
                    if (worker > 0) set_floating_mode(mode_);
                    work_(context_, first_ + (ticket & MOST_PIECES), worker);
                    completed_.fetch_add(1, std::memory_order_release);
                    ticket = shared.load(std::memory_order_acquire);
                }
        }
    }

    [[noreturn]] void serve(std::size_t worker) {
        const std::atomic<uint64_t>& own = ranges_[worker].ticket;
        for (;;) {
            take_pieces(worker);
            const auto end = std::chrono::steady_clock::now() + SPIN_TIME;
            bool found = false;
            while (!found && std::chrono::steady_clock::now() < end)
                for (int turn = 0; turn < 64 && !found; ++turn) {
                    found = has_piece(own.load(std::memory_order_acquire));
                    if (!found) pause();
                }
            if (found) continue;
            std::unique_lock<std::mutex> lock(mutex_);
            sleeping_.fetch_add(1);
            awake_.wait(lock, [&own] { return has_piece(own.load()); });
            sleeping_.fetch_sub(1);
        }
    }

    const std::size_t size_;
    const std::unique_ptr<Range[]> ranges_;
    bool started_ = false;
    std::size_t started_threads_ = 0;
    std::optional<Processors> processors_;
    int processor_ = -1;  // of the calling thread
    uint64_t number_ = 0;
    void (*work_)(void*, std::size_t, std::size_t) = nullptr;
    void* context_ = nullptr;
    std::size_t first_ = 0;
    uint64_t mode_ = 0;
    alignas(64) std::atomic<uint64_t> completed_{0};
    alignas(64) std::atomic<int> sleeping_{0};
    std::mutex mutex_;
    std::condition_variable awake_;
};

Alone alone_team;
thread_local std::size_t most_threads = 0;
std::atomic<std::size_t> usual{0};
// The pools by size. They are never destroyed: their threads sleep until the process ends. A forked child has
// none of these threads and creates its own pools.
constexpr std::size_t LARGEST = 1024;
std::atomic<Pool*> pools[LARGEST + 1];

Pool* pool_of(std::size_t size) {
    Pool* found = pools[size].load();
    if (found) return found;
    Pool* made = new Pool(size);
    if (pools[size].compare_exchange_strong(found, made)) return made;
    delete made;
    return found;
}

[[maybe_unused]] void forget_after_fork() {
    for (std::atomic<Pool*>& pool : pools) pool.store(nullptr);
}

}  // namespace

void set_threads(std::size_t count) {
#if !defined(_WIN32)
    [[maybe_unused]] static const int registered = pthread_atfork(nullptr, nullptr, forget_after_fork);
#endif
    usual.store(count < LARGEST ? count : LARGEST);
}

std::size_t get_threads() { return usual.load(); }

std::size_t limit_threads(std::size_t most) {
    const std::size_t before = most_threads;
    most_threads = most;
    return before;
}

Loan::Loan() : team_(&alone_team), borrowed_(false) {
    std::size_t size = usual.load();
    if (most_threads && most_threads < size) size = most_threads;
    if (size < 2) return;
    Pool* shared = pool_of(size);
    if (shared->lent.exchange(true)) return;
    team_ = shared;
    borrowed_ = true;
}

Loan::~Loan() {
    if (borrowed_) static_cast<Pool*>(team_)->lent.store(false);
}

Flush::Flush() : before_(floating_mode()) { set_floating_mode(before_ | FLUSHES); }

Flush::~Flush() { set_floating_mode(before_); }

}  // namespace ganglion
