package netns

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/vishvananda/netlink"
)

// marker tells the re-executed program that it is inside. It is removed from the
// environment at once: a shell or a test started inside must not inherit it.
const marker = "HEADGATE_LAB_INSIDE"

// Inside says whether Enter would return at once: the program was
// re-executed and has not called Enter yet.
func Inside() bool { return os.Getenv(marker) != "" }

// Enter makes the rest of the program run in its own network and process
// namespace (and user namespace, when it is not root).
//
// The first call re-executes the program with the same arguments, passes
// signals on and exits with its exit code: it returns only an error. In the re-executed program it
// brings the loopback interface up and returns nil.
func Enter() error {
	if Inside() {
		return setUp()
	}
	code, err := reexecute()
	if err != nil {
		return err
	}
	os.Exit(code)
	return nil
}

func setUp() error {
	if err := os.Unsetenv(marker); err != nil {
		return err
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find interface lo: %w", err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("bring interface lo up: %w", err)
	}
	// A pod reaches another pod through the lab's own routes. Where /proc/sys is
	// read-only (some containers) only pod to pod is lost, and nothing in the lab needs it.
	_ = os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0)
	return nil
}

// reexecute runs the program inside and returns its exit code.
func reexecute() (int, error) {
	// Pdeathsig follows the thread that started the child, not the process.
	runtime.LockOSThread()
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), marker+"=1")
	cmd.SysProcAttr = namespaces(os.Geteuid(), os.Getegid())
	if err := cmd.Start(); err != nil {
		return 0, refused(err)
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGHUP, os.Interrupt)
	go func() {
		for s := range signals {
			// The child may have ended already. Then the signal has no receiver.
			_ = cmd.Process.Signal(s)
		}
	}()
	err := cmd.Wait()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return 0, fmt.Errorf("wait for the program in its namespace: %w", err)
	}
	return exitCode(cmd.ProcessState), nil
}

func namespaces(uid, gid int) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	}
	if uid == 0 {
		return attr
	}
	attr.Cloneflags |= syscall.CLONE_NEWUSER
	attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
	attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: gid, Size: 1}}
	return attr
}

// exitCode follows the shell: 128+N for death by signal N.
func exitCode(s *os.ProcessState) int {
	if ws, ok := s.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return s.ExitCode()
}

func refused(err error) error {
	return fmt.Errorf(`the kernel refused a network namespace for the lab: %w
Run as root, or allow unprivileged user namespaces:
  sysctl -w kernel.unprivileged_userns_clone=1                  (Debian)
  sysctl -w user.max_user_namespaces=10000                      (RHEL)
  sysctl -w kernel.apparmor_restrict_unprivileged_userns=0      (Ubuntu 23.10 and later)`, err)
}
