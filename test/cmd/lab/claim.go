package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/headgate/headgate/test/lab/netns"
)

// pidFile is a file in the lab's directory with the id of the process whose namespaces
// are the lab. It also marks the directory as one that the next lab may empty.
const pidFile = "lab.pid"

// unclaimed returns an error if a lab runs in dir.
func unclaimed(dir string) error {
	if pid, err := running(dir); err == nil {
		return fmt.Errorf("a lab runs in %s already (process %d): enter it with \"lab shell\", or choose another --dir", dir, pid)
	}
	return nil
}

// claim removes the files of an earlier lab from dir, and marks dir as used by this lab
// until release.
func claim(dir string) (release func(), err error) {
	if err := empty(dir); err != nil {
		return nil, err
	}
	pid, err := netns.PID()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, pidFile)
	if err := os.WriteFile(file, []byte(strconv.Itoa(pid)), 0o644); err != nil {
		return nil, err
	}
	// The file stays, without a process, and so do the logs, until the next lab.
	return func() { _ = os.Truncate(file, 0) }, nil
}

// empty removes the directory of an earlier lab. Any other directory is an error.
func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, pidFile)); err != nil {
		return fmt.Errorf("%s is not empty and is not the directory of a lab: choose another --dir", dir)
	}
	return os.RemoveAll(dir)
}

// running returns the process of the lab that runs in dir.
func running(dir string) (pid int, err error) {
	content, err := os.ReadFile(filepath.Join(dir, pidFile))
	if err != nil || len(content) == 0 {
		return 0, fmt.Errorf("no lab runs in %s: start one with \"lab up\"", dir)
	}
	pid, err = strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		return 0, fmt.Errorf("read %s in %s: %w", pidFile, dir, err)
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err != nil {
		return 0, fmt.Errorf("the lab in %s has ended: start one with \"lab up\"", dir)
	}
	return pid, nil
}
