/* What newlib needs to run a program for a microcontroller under user-mode emulation: a start, and Linux's
   system calls for output and the end. */
#include <stdio.h>
#include <sys/stat.h>

int main(void);

static int call(int number, int a, int b, int c) {
    register int r7 __asm__("r7") = number;
    register int r0 __asm__("r0") = a;
    register int r1 __asm__("r1") = b;
    register int r2 __asm__("r2") = c;
    __asm__ volatile("svc 0" : "+r"(r0) : "r"(r7), "r"(r1), "r"(r2) : "memory");
    return r0;
}

void _exit(int code) {
    for (;;) {
        call(1, code, 0, 0);
    }
}

int _write(int file, const char* text, int length) { return call(4, file, (int)text, length); }

void* _sbrk(int more) {
    static char heap[65536];
    static int used;
    used += more;
    return heap + used - more;
}

int _close(int file) { return file < 0; }
int _read(int file, char* text, int length) { return call(3, file, (int)text, length); }
int _lseek(int file, int offset, int from) { return call(19, file, offset, from); }
int _isatty(int file) { return file < 3; }
int _getpid(void) { return 1; }
int _kill(int process, int signal) { return process < 0 || signal < 0; }
int _fstat(int file, struct stat* found) {
    found->st_mode = S_IFCHR;
    return file < 0;
}

void __attribute__((naked)) _start(void) { __asm__ volatile("bl start"); }

void __attribute__((used)) start(void) {
    const int code = main();
    fflush(stdout);
    _exit(code);
}
