package netns

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// DoWithFiles is Do with some files replaced. Each key of files is the path of an existing
// file, its value the path of the file that is seen there. Only f and the processes that
// it starts see this.
func (n *Namespace) DoWithFiles(files map[string]string, f func() error) error {
	return n.Do(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return fmt.Errorf("make mount namespace: %w", err)
		}
		// Private first: a shared mount would show on the machine too.
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return fmt.Errorf("make mounts private: %w", err)
		}
		for path, instead := range files {
			if err := unix.Mount(instead, path, "", unix.MS_BIND, ""); err != nil {
				return fmt.Errorf("mount %s over %s (both must exist): %w", instead, path, err)
			}
		}
		return f()
	})
}
