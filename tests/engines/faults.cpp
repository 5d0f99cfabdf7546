// Faults that a sanitizer must detect. Built with the same options as the engine under test, and called by
// test_sanitized.py.
#include <thread>

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT int past_the_end(int count) {
    int* numbers = new int[count]();
    const int found = numbers[count];
    delete[] numbers;
    return found;
}

EXPORT int overflow(int number) { return number + 1; }

EXPORT int race(int count) {
    int sum = 0;
    const auto add = [&sum, count] {
        for (int i = 0; i < count; ++i) sum = sum + i;
    };
    std::thread one(add), two(add);
    one.join();
    two.join();
    return sum;
}
