package node

import (
	"fmt"
	"os"
	"path/filepath"
)

// Files by which a program finds out how to look a name up.
const (
	resolvConf = "/etc/resolv.conf"
	nsswitch   = "/etc/nsswitch.conf"
)

// resolver is a resolv.conf that names the cluster's DNS server. As with a kubelet, a
// short name is tried in the pod's own namespace first, then as NAME.NAMESPACE, then as
// NAME.NAMESPACE.svc.
const resolver = `nameserver %s
search %s.svc.cluster.local svc.cluster.local cluster.local
options ndots:5
`

// writeNames makes the pod's processes look names up in the cluster and not on the
// machine. The machine's nsswitch.conf may not use resolv.conf at all (it uses
// systemd-resolved on many desktops).
func (r *runner) writeNames() error {
	r.files = map[string]string{}
	for file, content := range map[string]string{
		resolvConf: fmt.Sprintf(resolver, r.agent.DNS, r.pod.Namespace),
		nsswitch:   "hosts: files dns\n",
	} {
		if _, err := os.Stat(file); os.IsNotExist(err) && file == nsswitch {
			continue // without it "files dns" is the default
		}
		own := filepath.Join(r.dir(), filepath.Base(file))
		if err := os.WriteFile(own, []byte(content), 0o644); err != nil {
			return err
		}
		r.files[file] = own
	}
	return nil
}
