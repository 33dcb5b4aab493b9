package netns

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// PID is this process's number as other programs of the machine see it. It differs from
// os.Getpid after Enter.
func PID() (int, error) {
	link, err := os.Readlink("/proc/self")
	if err != nil {
		return 0, fmt.Errorf("find own process number: %w", err)
	}
	return strconv.Atoi(filepath.Base(link))
}

// Run runs cmd inside the namespaces of process pid (as PID gave it there) and waits for its
// end. Joining a lab that an unprivileged user started needs the program
// nsenter (util-linux): the kernel lets no threaded program join a user namespace.
func Run(pid int, cmd *exec.Cmd) error {
	same, err := sameUserNamespace(pid)
	if err != nil {
		return fmt.Errorf("enter the lab of process %d: %w", pid, err)
	}
	if !same {
		if err := throughNsenter(pid, cmd); err != nil {
			return err
		}
		return cmd.Run()
	}
	return onOwnThread(func() error {
		for _, kind := range []string{"net", "pid"} {
			if err := join(pid, kind); err != nil {
				return fmt.Errorf("enter the lab of process %d: %w", pid, err)
			}
		}
		return cmd.Run()
	})
}

func sameUserNamespace(pid int) (bool, error) {
	own, err := os.Readlink("/proc/self/ns/user")
	if err != nil {
		return false, err
	}
	theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/user", pid))
	return own == theirs, err
}

func join(pid int, kind string) error {
	fd, err := unix.Open(fmt.Sprintf("/proc/%d/ns/%s", pid, kind), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open its %s namespace: %w", kind, err)
	}
	defer unix.Close(fd)
	if err := unix.Setns(fd, 0); err != nil {
		return fmt.Errorf("join its %s namespace: %w", kind, err)
	}
	return nil
}

// throughNsenter puts nsenter before cmd.
func throughNsenter(pid int, cmd *exec.Cmd) error {
	nsenter, err := exec.LookPath("nsenter")
	if err != nil {
		return errors.Join(err, errors.New("install util-linux, or run the lab and the shell as root"))
	}
	prefix := []string{nsenter, "--target", strconv.Itoa(pid), "--user", "--net", "--pid", "--preserve-credentials", "--", cmd.Path}
	cmd.Args = append(prefix, cmd.Args[1:]...)
	cmd.Path = nsenter
	return nil
}
