// Runs a program again and again without loading it again: the program stops before its `main`, and each run is a fork of it there. Most of a
// short command is the loading of its libraries. Loaded with LD_PRELOAD by `Tools/torture`; no part of the product.
//
//   SHIM_SERVER  a socket (a number). One request at a time: its length (32 bits), then strings that end with a zero byte: file of standard output, file of
//                standard error, number of arguments, arguments (with the program's own name), number of variables, variables NAME=VALUE.
//                Answers: process (32 bits), and when it has ended its status as of `waitpid` (32 bits); then a byte is awaited until it is reaped,
//                so that nobody kills another process of that number.
//
// Without the variable nothing is changed. The run has the arguments, variables and outputs of the request, and nothing else of the server's.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

typedef int main_function(int, char **, char **);
static main_function *program;

void shim_begin(void);

// Plain system calls: those of libc are counted here.
static int all(int number, int descriptor, void *bytes, size_t count) {
    for (size_t done = 0; done < count;) {
        ssize_t now = syscall(number, descriptor, (char *)bytes + done, count - done);
        if (now < 0 && errno == EINTR) continue;
        if (now <= 0) return 0;
        done += (size_t)now;
    }
    return 1;
}

static char *next(char **place) {
    char *text = *place;
    *place += strlen(text) + 1;
    return text;
}

static char **list(char **place, int *count) {
    *count = atoi(next(place));
    char **items = calloc((size_t)*count + 1, sizeof *items);
    for (int index = 0; index < *count; index++) items[index] = next(place);
    return items;
}

static void output(const char *path, int descriptor) {
    int file = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (file < 0) _exit(126);
    dup2(file, descriptor);
    syscall(SYS_close, file);
}

struct run {
    int argc;
    char **argv, **variables;
};

static void *begin(void *run) {
    struct run *it = run;
    exit(program(it->argc, it->argv, it->variables));
}

static int run(char *request, int socket) {
    char *place = request, *out = next(&place), *err = next(&place);
    int argc, count;
    char **argv = list(&place, &argc), **variables = list(&place, &count);
    syscall(SYS_close, socket);
    output(out, 1);
    output(err, 2);
    environ = variables;
    // The Swift library reads the command line of the process, which is the server's.
    void (*arguments)(char **, int) = (void (*)(char **, int))dlsym(RTLD_DEFAULT, "_swift_stdlib_overrideUnsafeArgvArgc");
    if (arguments) arguments(argv, argc);
    shim_begin();
    // In a thread of its own: the Swift library has noted the number of this one, which before the fork was another, and two threads that meet at
    // the same `once` wait for it for ever.
    struct run it = {argc, argv, variables};
    pthread_t thread;
    if (pthread_create(&thread, NULL, begin, &it) != 0) _exit(126);
    pthread_join(thread, NULL);
    _exit(126);
}

static int serve(int argc, char **argv, char **variables) {
    const char *number = getenv("SHIM_SERVER");
    if (!number) return program(argc, argv, variables);
    int socket = atoi(number);
    unsetenv("SHIM_SERVER");
    for (;;) {
        uint32_t length;
        if (!all(SYS_read, socket, &length, sizeof length)) _exit(0);
        char *request = malloc((size_t)length + 1);
        if (!request || !all(SYS_read, socket, request, length)) _exit(1);
        request[length] = 0;
        int32_t child = fork();
        if (child == 0) return run(request, socket);
        free(request);
        if (!all(SYS_write, socket, &child, sizeof child) || child < 0) _exit(1);
        siginfo_t ended;
        while (waitid(P_PID, (id_t)child, &ended, WEXITED | WNOWAIT) < 0 && errno == EINTR) {}
        int32_t status = ended.si_code == CLD_EXITED ? ended.si_status << 8 : ended.si_status;
        char ready;
        if (!all(SYS_write, socket, &status, sizeof status) || !all(SYS_read, socket, &ready, 1)) _exit(0);
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
    }
}

int __libc_start_main(main_function *main, int argc, char **argv, void (*init)(void), void (*fini)(void), void (*linker)(void), void *stack) {
    int (*next)(main_function *, int, char **, void (*)(void), void (*)(void), void (*)(void), void *) = dlsym(RTLD_NEXT, "__libc_start_main");
    program = main;
    return next(serve, argc, argv, init, fini, linker, stack);
}
