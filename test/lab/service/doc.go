// Package service is the lab's kube-proxy and cluster DNS: a name
// SERVICE.NAMESPACE.svc.cluster.local leads to the Service's cluster IP, and a TCP connection to that to
// one of its ready endpoints, chosen at random. A headless Service's name leads to
// its ready endpoints.
//
// It works on demand. Before the first name is asked for it watches nothing, and it listens on a cluster
// IP once somebody has asked for its name: an address that was got otherwise refuses connections.
// It knows no UDP, ExternalName, session affinity or SRV records, and no name outside the
// cluster. test/lab starts it; pods are led to it by test/lab/node.
package service
