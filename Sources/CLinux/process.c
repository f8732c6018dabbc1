#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/filter.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RESULT(call) ({ long r_ = (call); r_ < 0 ? -errno : r_; })

extern char **environ;

// The first object is the program itself.
static int forget_object(struct dl_phdr_info *info, size_t size, void *unused) {
    (void)size;
    (void)unused;
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (int index = 0; index < info->dlpi_phnum; index++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[index];
        // Code is never written to, so that nothing is lost: the pages are the file's.
        if (part->p_type != PT_LOAD || part->p_flags & PF_W || !(part->p_flags & PF_X)) continue;
        uintptr_t first = (info->dlpi_addr + part->p_vaddr) & ~(page - 1);
        uintptr_t end = info->dlpi_addr + part->p_vaddr + part->p_memsz;
        madvise((void *)first, end - first, MADV_DONTNEED);
    }
    return 1;
}

void cl_forget_code(void) { dl_iterate_phdr(forget_object, NULL); }

#define SPAWN_DESCRIPTORS 8
// Numbers that are surely not among the child's.
#define HIGH_DESCRIPTOR (3 + SPAWN_DESCRIPTORS)

int cl_spawn(const char *path, const char *const *arguments, const int *descriptors, size_t count) {
    if (count > SPAWN_DESCRIPTORS) return -EINVAL;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int copies[SPAWN_DESCRIPTORS];
    size_t copied = 0;
    pid_t pid = 0;
    int failure = posix_spawn_file_actions_init(&actions);
    if (failure) return -failure;
    failure = posix_spawnattr_init(&attributes);
    if (failure) {
        posix_spawn_file_actions_destroy(&actions);
        return -failure;
    }
    // A source may have the number of an earlier target, so all are moved out of the way first.
    for (; copied < count; copied++) {
        copies[copied] = fcntl(descriptors[copied], F_DUPFD_CLOEXEC, HIGH_DESCRIPTOR);
        if (copies[copied] < 0) {
            failure = errno;
            goto end;
        }
    }
    for (size_t i = 0; i < count; i++) {
        failure = posix_spawn_file_actions_adddup2(&actions, copies[i], 3 + (int)i);
        if (failure) goto end;
    }
    sigset_t all;
    sigfillset(&all);
    posix_spawnattr_setsigdefault(&attributes, &all);
    // Its own group: a terminal's Ctrl-C reaches the supervisor alone, which passes it on.
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    failure = posix_spawn(&pid, path, &actions, &attributes, (char *const *)arguments, environ);
end:
    for (size_t i = 0; i < copied; i++) close(copies[i]);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return failure ? -failure : pid;
}

int cl_exec(const char *path, const char *const *arguments) {
    execve(path, (char *const *)arguments, environ);
    return -errno;
}

static int reap(pid_t wanted, int *code, int *signal) {
    int status = 0;
    pid_t pid;
    do pid = waitpid(wanted, &status, WNOHANG);
    while (pid < 0 && errno == EINTR);
    if (pid < 0) return errno == ECHILD ? 0 : -errno;
    *code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    *signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    return pid;
}

int cl_reap(int *code, int *signal) { return reap(-1, code, signal); }
int cl_reap_one(int pid, int *code, int *signal) { return reap(pid, code, signal) == pid; }
int cl_kill(int pid, int signal) { return (int)RESULT(kill(pid, signal)); }
int cl_pid(void) { return getpid(); }
int cl_parent_pid(void) { return getppid(); }
int cl_set_parent_death_signal(int signal) { return (int)RESULT(prctl(PR_SET_PDEATHSIG, signal)); }
int cl_set_process_name(const char *name) { return (int)RESULT(prctl(PR_SET_NAME, name)); }
void cl_exit_now(int code) { _exit(code); }
long cl_program_path(char *path, size_t capacity) { return RESULT(readlink("/proc/self/exe", path, capacity)); }
const char *cl_environment(const char *name) { return getenv(name); }
const char *cl_environment_entry(size_t index) { return environ[index]; }
int cl_set_environment(const char *name, const char *value) { return (int)RESULT(setenv(name, value, 1)); }
int cl_unset_environment(const char *name) { return (int)RESULT(unsetenv(name)); }

int64_t cl_raise_open_files(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
    if (limit.rlim_cur < limit.rlim_max) {
        struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
    }
    return limit.rlim_cur > INT32_MAX ? INT32_MAX : (int64_t)limit.rlim_cur;
}

int cl_allowed_cpus(void) {
    for (int cpus = 1024; cpus <= 1 << 16; cpus *= 2) {
        cpu_set_t *set = CPU_ALLOC(cpus);
        if (!set) return -ENOMEM;
        size_t size = CPU_ALLOC_SIZE(cpus);
        int result = sched_getaffinity(0, size, set) < 0 ? -errno : CPU_COUNT_S(size, set);
        CPU_FREE(set);
        if (result != -EINVAL) return result;
    }
    return -EINVAL;
}

void cl_release_memory(void) {
    malloc_trim(0);
    FILE *maps = fopen("/proc/self/maps", "re");
    if (!maps) return;
    char line[512];
    while (fgets(line, sizeof line, maps)) {
        unsigned long from, to;
        char flags[5], path[2];
        if (sscanf(line, "%lx-%lx %4s %*s %*s %*s %1s", &from, &to, flags, path) != 4 || path[0] != '/') continue;
        // Text is never written, so its pages can be dropped. Data that relocation changed cannot: it is only offered.
        if (strcmp(flags, "r-xp") == 0) madvise((void *)from, to - from, MADV_DONTNEED);
        else if (strcmp(flags, "r--p") == 0) madvise((void *)from, to - from, MADV_PAGEOUT);
    }
    fclose(maps);
}

int cl_ignore_signal(int number) { return signal(number, SIG_IGN) == SIG_ERR ? -errno : 0; }

int cl_signal_descriptor(const int *signals, size_t count) {
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < count; i++) sigaddset(&set, signals[i]);
    int failure = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (failure) return -failure;
    return (int)RESULT(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
}

int cl_next_signal(int fd, int *number, int *sender) {
    struct signalfd_siginfo info;
    long result;
    do result = read(fd, &info, sizeof info);
    while (result < 0 && errno == EINTR);
    if (result < 0) return errno == EAGAIN ? 0 : -errno;
    if (result != sizeof info) return -EIO;
    *number = (int)info.ssi_signo;
    *sender = (int)info.ssi_pid;
    return 1;
}

int cl_poll(const int *descriptors, size_t count, int timeout_ms, uint32_t *ready) {
    struct pollfd polled[32];
    if (count > 32) return -EINVAL;
    for (size_t i = 0; i < count; i++) polled[i] = (struct pollfd){.fd = descriptors[i], .events = POLLIN};
    *ready = 0;
    int result = poll(polled, count, timeout_ms);
    if (result < 0) return errno == EINTR ? 0 : -errno;
    for (size_t i = 0; i < count; i++)
        if (polled[i].revents) *ready |= UINT32_C(1) << i;
    return result;
}

int cl_poll_writable(int fd, int timeout_ms) {
    struct pollfd polled = {.fd = fd, .events = POLLOUT};
    int result = poll(&polled, 1, timeout_ms);
    return result < 0 && errno == EINTR ? 0 : (int)RESULT(result);
}

int cl_message_pair(int descriptors[2]) {
    return (int)RESULT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, descriptors));
}

#define MESSAGE_DESCRIPTORS 64

int cl_send_message(int fd, const void *bytes, size_t count, const int *descriptors, size_t descriptor_count) {
    if (descriptor_count > MESSAGE_DESCRIPTORS) return -EINVAL;
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * MESSAGE_DESCRIPTORS)];
    } control;
    struct iovec piece = {.iov_base = (void *)bytes, .iov_len = count};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    if (descriptor_count > 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * descriptor_count);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * descriptor_count);
        memcpy(CMSG_DATA(header), descriptors, sizeof(int) * descriptor_count);
    }
    long result;
    do result = sendmsg(fd, &message, MSG_NOSIGNAL);
    while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : 0;
}

int cl_send_datagram(const char *path, const void *bytes, size_t count, int descriptor, int timeout_ms) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length == 0 || length > sizeof address.sun_path) return -EINVAL;
    memcpy(address.sun_path, path, length);
    if (path[0] == '@') address.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    struct timeval time = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec piece = {.iov_base = (void *)bytes, .iov_len = count};
    struct msghdr message = {
        .msg_name = &address, .msg_namelen = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length), .msg_iov = &piece, .msg_iovlen = 1};
    if (descriptor >= 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &descriptor, sizeof(int));
    }
    long result;
    do result = sendmsg(fd, &message, MSG_NOSIGNAL);
    while (result < 0 && errno == EINTR);
    int error = result < 0 ? -errno : 0;
    close(fd);
    return error;
}

long cl_receive_message(
    int fd, void *bytes, size_t capacity, int *descriptors, size_t descriptor_capacity, size_t *descriptor_count) {
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * MESSAGE_DESCRIPTORS)];
    } control;
    struct iovec piece = {.iov_base = bytes, .iov_len = capacity};
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    long result;
    *descriptor_count = 0;
    do result = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    while (result < 0 && errno == EINTR);
    if (result < 0) return -errno;
    int overflow = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        size_t received = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < received; i++) {
            int number;
            memcpy(&number, CMSG_DATA(header) + i * sizeof(int), sizeof number);
            if (*descriptor_count < descriptor_capacity) {
                descriptors[(*descriptor_count)++] = number;
            } else {
                close(number);
                overflow = 1;
            }
        }
    }
    if (overflow) {
        while (*descriptor_count > 0) close(descriptors[--*descriptor_count]);
        return -EMSGSIZE;
    }
    return result;
}

int cl_memory_file(const char *name) { return (int)RESULT(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING)); }

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

int cl_seal(int fd) { return (int)RESULT(fcntl(fd, F_ADD_SEALS, SEALS)); }

int cl_is_sealed(int fd) {
    int seals = fcntl(fd, F_GET_SEALS);
    return seals < 0 ? -errno : (seals & SEALS) == SEALS;
}

int cl_open_read(const char *path) { return (int)RESULT(open(path, O_RDONLY | O_CLOEXEC)); }

int cl_create(const char *path) { return (int)RESULT(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)); }

int64_t cl_file_size(int fd) {
    struct stat status;
    if (fstat(fd, &status) < 0) return -errno;
    return status.st_size;
}

long cl_read(int fd, void *bytes, size_t count) {
    long result;
    do result = read(fd, bytes, count);
    while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : result;
}

long cl_read_at(int fd, void *bytes, size_t count, int64_t offset) {
    long result;
    do result = pread(fd, bytes, count, offset);
    while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : result;
}

long cl_write(int fd, const void *bytes, size_t count) {
    long result;
    do result = write(fd, bytes, count);
    while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : result;
}

int cl_duplicate(int fd) { return (int)RESULT(fcntl(fd, F_DUPFD_CLOEXEC, 3)); }
int cl_set_close_on_exec(int fd, int on) { return (int)RESULT(fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0)); }

int cl_set_nonblocking(int fd, int on) {
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0) return -errno;
    return (int)RESULT(fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK));
}

int cl_path_kind(const char *path, uint64_t *device, uint64_t *inode) {
    struct stat status;
    *device = 0;
    *inode = 0;
    if (lstat(path, &status) < 0) return errno == ENOENT ? 0 : -errno;
    *device = status.st_dev;
    *inode = status.st_ino;
    return S_ISSOCK(status.st_mode) ? 1 : 2;
}

int cl_file_identity(const char *path, uint64_t identity[5]) {
    struct stat status;
    if (stat(path, &status) < 0) return -errno;
    identity[0] = status.st_dev;
    identity[1] = status.st_ino;
    identity[2] = (uint64_t)status.st_size;
    identity[3] = (uint64_t)status.st_mtim.tv_sec * 1000000000 + (uint64_t)status.st_mtim.tv_nsec;
    identity[4] = (uint64_t)status.st_ctim.tv_sec * 1000000000 + (uint64_t)status.st_ctim.tv_nsec;
    return 0;
}

int cl_mode(const char *path) {
    struct stat status;
    if (lstat(path, &status) < 0) return -errno;
    return (int)(status.st_mode & 07777);
}

int cl_rename(const char *from, const char *to) { return (int)RESULT(rename(from, to)); }
int cl_unlink(const char *path) { return (int)RESULT(unlink(path)); }
int cl_set_mode(const char *path, uint32_t mode) { return (int)RESULT(chmod(path, mode)); }
int cl_set_owner(const char *path, uint32_t user, uint32_t group) { return (int)RESULT(chown(path, user, group)); }

int cl_find_user(const char *name, uint32_t *user, uint32_t *group) {
    struct passwd entry, *found = NULL;
    char text[4096];
    int failure = getpwnam_r(name, &entry, text, sizeof text, &found);
    if (failure) return -failure;
    if (!found) return -ENOENT;
    *user = found->pw_uid;
    *group = found->pw_gid;
    return 0;
}

int cl_is_listening(int fd) {
    int value = 0;
    socklen_t size = sizeof value;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &size) < 0) return -errno;
    if (value != SOCK_STREAM) return 0;
    size = sizeof value;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) < 0) return -errno;
    return value != 0;
}

int cl_refuse_new_connections(int fd) {
    // The program sees the segment from its TCP header on: byte 13 has the flags.
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x02, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};
    return (int)RESULT(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program));
}

int cl_set_blocking_with_timeout(int fd, int64_t milliseconds) {
    struct timeval limit = {.tv_sec = milliseconds / 1000, .tv_usec = milliseconds % 1000 * 1000};
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0) return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0) return -errno;
    return cl_set_nonblocking(fd, 0);
}

struct thread_start {
    void (*body)(void *);
    void *context;
    char name[16];
};

static void *run_thread(void *argument) {
    struct thread_start start = *(struct thread_start *)argument;
    free(argument);
    if (start.name[0]) pthread_setname_np(pthread_self(), start.name);
    start.body(start.context);
    return NULL;
}

int cl_start_thread(void (*body)(void *), void *context, size_t stack, const char *name, uint64_t *thread) {
    struct thread_start *start = calloc(1, sizeof *start);
    if (!start) return -ENOMEM;
    start->body = body;
    start->context = context;
    strncpy(start->name, name, sizeof start->name - 1);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    if (stack > 0) pthread_attr_setstacksize(&attributes, stack);
    if (!thread) pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_t created;
    int failure = pthread_create(&created, &attributes, run_thread, start);
    pthread_attr_destroy(&attributes);
    if (failure) {
        free(start);
        return -failure;
    }
    if (thread) *thread = (uint64_t)created;
    return 0;
}

int cl_join_thread(uint64_t thread) { return -pthread_join((pthread_t)thread, NULL); }

const char *cl_error_text(int number) { return strerrordesc_np(number); }

void cl_sleep(int64_t nanoseconds) {
    struct timespec left = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
    while (nanosleep(&left, &left) < 0 && errno == EINTR) {}
}
