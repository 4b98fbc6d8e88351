"""Runs a command with less than the tests have: `python3 -m support.confined MODE COMMAND...`.

user        an ordinary user
container   root as in a container: the usual few capabilities, and no new namespaces
bare        an ordinary user who may make no namespaces either

Who is not root cannot become another user and stays what he is. The user may read what root may,
so that programs and libraries are found wherever the tests lie.
"""

import ctypes
import os
import sys

NOBODY = 65534
PR_CAPBSET_READ, PR_CAPBSET_DROP, PR_SET_KEEPCAPS = 23, 24, 8
PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, AMBIENT_RAISE = 38, 47, 2
CAP_DAC_READ_SEARCH = 2
# chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap, net_bind_service, net_raw,
# sys_chroot, mknod, audit_write, setfcap
CONTAINER_CAPABILITIES = {0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31}
SCMP_ACT_ALLOW, SCMP_ACT_EPERM, SCMP_CMP_MASKED_EQ = 0x7FFF0000, 0x00050001, 7
NAMESPACES = (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000)

libc = ctypes.CDLL(None, use_errno=True)


class Comparison(ctypes.Structure):
    _fields_ = [("argument", ctypes.c_uint), ("operator", ctypes.c_int),
                ("first", ctypes.c_uint64), ("second", ctypes.c_uint64)]


class CapabilityHeader(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class CapabilitySets(ctypes.Structure):
    _fields_ = [("sets", ctypes.c_uint32 * 6)]


def check(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), what)


def forbid_namespaces():
    """What a container runtime's filter does: clone and unshare with a new namespace fail."""
    seccomp = ctypes.CDLL("libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    seccomp.seccomp_rule_add_array.argtypes = [
        ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint,
        ctypes.POINTER(Comparison)]
    seccomp.seccomp_load.argtypes = [ctypes.c_void_p]
    made = ctypes.c_void_p(seccomp.seccomp_init(SCMP_ACT_ALLOW))
    for call in (b"clone", b"unshare"):
        number = seccomp.seccomp_syscall_resolve_name(call)
        for flag in NAMESPACES:
            rule = Comparison(0, SCMP_CMP_MASKED_EQ, flag, flag)
            check(seccomp.seccomp_rule_add_array(made, SCMP_ACT_EPERM, number, 1,
                                                 ctypes.byref(rule)), "seccomp_rule_add")
    check(seccomp.seccomp_load(made), "seccomp_load")


def keep_capabilities(kept):
    capability = 0
    while libc.prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0:
        if capability not in kept:
            check(libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0), "capability")
        capability += 1


def become_user():
    keep_capabilities({CAP_DAC_READ_SEARCH})
    check(libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), "keepcaps")
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    bit = 1 << CAP_DAC_READ_SEARCH
    header = CapabilityHeader(0x20080522, 0)
    sets = CapabilitySets((ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0))
    check(libc.capset(ctypes.byref(header), ctypes.byref(sets)), "capset")
    check(libc.prctl(PR_CAP_AMBIENT, AMBIENT_RAISE, CAP_DAC_READ_SEARCH, 0, 0), "ambient")


def main():
    mode, *command = sys.argv[1:]
    root = os.geteuid() == 0
    if root and mode in ("user", "bare"):
        become_user()
    if root and mode == "container":
        keep_capabilities(CONTAINER_CAPABILITIES)
    if mode in ("container", "bare"):
        check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
        forbid_namespaces()
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
