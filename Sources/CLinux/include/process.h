#pragma once
#include <stddef.h>
#include <stdint.h>

// System calls of the daemon's life cycle: processes, signals, messages with descriptors, sealed memory, files, threads.
// Each function returns its result or the negated errno.

// Starts a program with this process's environment. Descriptor `descriptors[i]` is number 3 + i in the child; every other
// descriptor above 2 must be close-on-exec. The child has the caller's signal mask and default dispositions.
int cl_spawn(const char *path, const char *const *arguments, const int *descriptors, size_t count);
// Gives the program's own code pages back to the page cache; each comes again with its next use.
void cl_forget_code(void);
// Replaces this program; returns only when that failed.
int cl_exec(const char *path, const char *const *arguments);
// A child that ended: its pid, 0 when there is none. Either *code is its exit code and *signal 0, or *signal killed it.
int cl_reap(int *code, int *signal);
// The same for one child: 1, or 0 while it runs.
int cl_reap_one(int pid, int *code, int *signal);
int cl_kill(int pid, int signal);
int cl_pid(void);
int cl_parent_pid(void);
// The signal that this process gets when its parent's thread ends.
int cl_set_parent_death_signal(int signal);
int cl_set_process_name(const char *name);
// Ends without running anything.
void cl_exit_now(int code) __attribute__((noreturn));
// Path of the running program into `path`: its length.
long cl_program_path(char *path, size_t capacity);
int cl_set_environment(const char *name, const char *value);
int cl_unset_environment(const char *name);
const char *cl_environment(const char *name);
// `NAME=value` at a position; NULL behind the last one.
const char *cl_environment_entry(size_t index);

// Raises the limit of open files to the hard one; says what it is now.
int64_t cl_raise_open_files(void);
// CPUs this process may run on.
int cl_allowed_cpus(void);
// Gives program text that is not needed now back to the page cache (it comes back when it runs) and unused heap to the
// kernel.
void cl_release_memory(void);

int cl_ignore_signal(int signal);
// Blocks signals and returns a descriptor from which they are read.
int cl_signal_descriptor(const int *signals, size_t count);
// 1 and the signal with its sender's pid (0: the kernel or another namespace), or 0 when none waits.
int cl_next_signal(int fd, int *signal, int *sender);
// Waits for descriptors to be readable (or broken): a bit each; 0 after the time. -1 waits for ever.
int cl_poll(const int *descriptors, size_t count, int timeout_ms, uint32_t *ready);

// Waits until one descriptor is writable or broken: 1, or 0 after the time.
int cl_poll_writable(int fd, int timeout_ms);

// A connected pair that keeps message borders and says when the other side is gone.
int cl_message_pair(int descriptors[2]);
int cl_send_message(int fd, const void *bytes, size_t count, const int *descriptors, size_t descriptor_count);
// Bytes of one message (0: the other side is gone). Descriptors come close-on-exec.
long cl_receive_message(
    int fd, void *bytes, size_t capacity, int *descriptors, size_t descriptor_capacity, size_t *descriptor_count);

// Sends one datagram to a Unix socket's path ('@' in front: an abstract name), with a descriptor unless that is -1. Waits at most so
// long for room there.
int cl_send_datagram(const char *path, const void *bytes, size_t count, int descriptor, int timeout_ms);

int cl_memory_file(const char *name);
// No more changes of content or size.
int cl_seal(int fd);
// 1 when sealed.
int cl_is_sealed(int fd);

int cl_open_read(const char *path);
// An empty file for us to write, readable by others as the umask has it.
int cl_create(const char *path);
int64_t cl_file_size(int fd);
long cl_read(int fd, void *bytes, size_t count);
long cl_read_at(int fd, void *bytes, size_t count, int64_t offset);
long cl_write(int fd, const void *bytes, size_t count);
int cl_duplicate(int fd);
int cl_set_close_on_exec(int fd, int on);
int cl_set_nonblocking(int fd, int on);

// Kind of a path itself (links are not followed): 0 nothing, 1 socket, 2 anything else; and its identity.
int cl_path_kind(const char *path, uint64_t *device, uint64_t *inode);
// What a path leads to, links followed: device, inode, size, and the times of its content and its state in nanoseconds.
int cl_file_identity(const char *path, uint64_t identity[5]);
// Permission bits of a path; links are not followed.
int cl_mode(const char *path);
int cl_rename(const char *from, const char *to);
int cl_unlink(const char *path);
int cl_set_mode(const char *path, uint32_t mode);
int cl_set_owner(const char *path, uint32_t user, uint32_t group);
// Ids of a user's name; -ENOENT when there is none.
int cl_find_user(const char *name, uint32_t *user, uint32_t *group);
// 1 for a listening stream socket.
int cl_is_listening(int fd);
// A listening TCP socket drops requests for new connections (SYN); handshakes that have begun still complete.
int cl_refuse_new_connections(int fd);

// Blocking sockets with a time limit for each receive and send.
int cl_set_blocking_with_timeout(int fd, int64_t milliseconds);

// Runs body(context) on a new thread; `stack` 0: the default size. `*thread` is for cl_join_thread; NULL detaches.
int cl_start_thread(void (*body)(void *), void *context, size_t stack, const char *name, uint64_t *thread);
int cl_join_thread(uint64_t thread);
// The C library's text for an error number, NULL when it knows none.
const char *cl_error_text(int number);
void cl_sleep(int64_t nanoseconds);
