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

// pidFile, in the lab's directory, names the process whose namespaces are the lab. It also
// marks the directory as a lab's, which the next lab may empty.
const pidFile = "lab.pid"

// unclaimed refuses a directory in which a lab runs.
func unclaimed(dir string) error {
	if pid, err := running(dir); err == nil {
		return fmt.Errorf("a lab runs in %s already (process %d): enter it with \"lab shell\", or choose another --dir", dir, pid)
	}
	return nil
}

// claim empties dir of an earlier lab and marks it as this one's until release.
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
	// The mark stays, without a process: the logs are there to be read until the next lab.
	return func() { _ = os.Truncate(file, 0) }, nil
}

// empty removes an earlier lab's directory, and nothing that is not one.
func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, pidFile)); err != nil {
		return fmt.Errorf("%s is not empty and no lab's: choose another --dir", dir)
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
