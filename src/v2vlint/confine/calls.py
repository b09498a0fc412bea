"""System calls by name, with their numbers on x86-64 and on the architectures of Linux's generic table (aarch64, riscv64, loongarch64)."""

from __future__ import annotations

# name x86-64 generic; "-" where the architecture has none. tests/confine compares them with the kernel's headers.
READ = """
read 0 63, readv 19 65, pread64 17 67, preadv 295 69, preadv2 327 286, write 1 64, writev 20 66, lseek 8 62, close 3 57,
close_range 436 436, fstat 5 80, newfstatat 262 79, stat 4 -, lstat 6 -, statx 332 291, access 21 -, faccessat 269 48,
faccessat2 439 439, readlink 89 -, readlinkat 267 78, getdents 78 -, getdents64 217 61, getcwd 79 17, statfs 137 43,
fstatfs 138 44, fadvise64 221 223, dup 32 23, dup2 33 -, dup3 292 24, pipe 22 -, pipe2 293 59, poll 7 -, ppoll 271 73,
select 23 -, pselect6 270 72, epoll_create1 291 20, epoll_ctl 233 21, epoll_wait 232 -, epoll_pwait 281 22, eventfd2 290 19,
recvmsg 47 212
"""

MEMORY = "mmap 9 222, munmap 11 215, mremap 25 216, mprotect 10 226, brk 12 214, madvise 28 233, membarrier 324 283"

SELF = """
futex 202 98, set_robust_list 273 99, get_robust_list 274 100, rseq 334 293, set_tid_address 218 96, rt_sigaction 13 134,
rt_sigprocmask 14 135, rt_sigreturn 15 139, rt_sigpending 127 136, sigaltstack 131 132, restart_syscall 219 128, gettid 186 178,
getpid 39 172, getppid 110 173, getuid 102 174, geteuid 107 175, getgid 104 176, getegid 108 177, getgroups 115 158,
getresuid 118 148, getresgid 120 150, getpgrp 111 -, getpgid 121 155, getsid 124 156, umask 95 166, uname 63 160, sysinfo 99 179,
times 100 153, getrusage 98 165, getrlimit 97 163, clock_gettime 228 113, clock_getres 229 114, clock_nanosleep 230 115,
nanosleep 35 101, gettimeofday 96 169, time 201 -, getrandom 318 278, sched_yield 24 124, sched_getaffinity 204 123,
getcpu 309 168, arch_prctl 158 -, capget 125 90, setitimer 38 103, exit 60 93, exit_group 231 94
"""

WRITE = """
pwrite64 18 68, pwritev 296 70, pwritev2 328 287, ftruncate 77 46, fsync 74 82, fdatasync 75 83, fallocate 285 47,
copy_file_range 326 285, sendfile 40 71, unlink 87 -, unlinkat 263 35, mkdir 83 -, mkdirat 258 34, rmdir 84 -, rename 82 -,
renameat 264 38, renameat2 316 276, fchmod 91 52, utimensat 280 88, flock 73 32
"""

OPEN = "open 2 -, openat 257 56"
CHECKED = "fcntl 72 25, ioctl 16 29, prlimit64 302 261, tgkill 234 131"

# Denied to tools. Everything else is allowed, as QEMU and C library builds differ in what they need.
PROCESSES = "fork 57 -, vfork 58 -, execveat 322 281, setns 308 268, unshare 272 97, clone3 435 435"
CLONE = "clone 56 220"
OTHERS = """
ptrace 101 117, process_vm_readv 310 270, process_vm_writev 311 271, kill 62 129, tkill 200 130, rt_sigqueueinfo 129 138,
rt_tgsigqueueinfo 297 240, pidfd_open 434 434, pidfd_getfd 438 438, pidfd_send_signal 424 424, process_madvise 440 440,
kcmp 312 272
"""
SOCKETS = "socketpair 53 199, connect 42 203, shmget 29 194, msgget 68 186, semget 64 190, mq_open 240 180"
SERVING = "bind 49 200, listen 50 201, accept 43 202, accept4 288 242"
SOCKET = "socket 41 198"
# io_uring opens files and sockets without passing the filter of system calls.
KERNEL = """
io_uring_setup 425 425, io_uring_enter 426 426, io_uring_register 427 427, bpf 321 280, perf_event_open 298 241,
userfaultfd 323 282, keyctl 250 219, add_key 248 217, request_key 249 218, mount 165 40, umount2 166 39, move_mount 429 429,
open_tree 428 428, fsopen 430 430, fsconfig 431 431, fsmount 432 432, fspick 433 433, mount_setattr 442 442, pivot_root 155 41,
chroot 161 51, init_module 175 105, finit_module 313 273, delete_module 176 106, kexec_load 246 104, kexec_file_load 320 294,
reboot 169 142, swapon 167 224, swapoff 168 225, sethostname 170 161, setdomainname 171 162, iopl 172 -, ioperm 173 -,
acct 163 89, quotactl 179 60, quotactl_fd 443 443, settimeofday 164 170, clock_settime 227 112, clock_adjtime 305 266,
adjtimex 159 171, syslog 103 116, open_by_handle_at 304 265, name_to_handle_at 303 264, mknod 133 -, mknodat 259 33,
fanotify_init 300 262, inotify_init1 294 26, lookup_dcookie 212 18, personality 135 92, vhangup 153 58, setuid 105 146,
setgid 106 144, setreuid 113 145, setregid 114 143, setresuid 117 147, setresgid 119 149, setfsuid 122 151, setfsgid 123 152,
setgroups 116 159, capset 126 91, modify_ldt 154 -, uselib 134 -, mbind 237 235, migrate_pages 256 238, move_pages 279 239
"""

NEWEST = 462
"""The last system call there was when this was written; a later one does not exist for a confined process, so that libraries fall back."""


def numbers(names: str, generic: bool) -> dict[str, int]:
    """The numbers by name of a list above on one kind of architecture, without those that it does not have."""
    fields = (entry.split() for entry in names.split(",") if entry.strip())
    found = ((field[0], field[2] if generic else field[1]) for field in fields)
    return {name: int(number) for name, number in found if number != "-"}
