// Package service is the lab's kube-proxy and cluster DNS. The name
// SERVICE.NAMESPACE.svc.cluster.local leads to the Service's cluster IP. A TCP connection
// to that IP leads to one of its ready endpoints, chosen at random. The name of a headless
// Service leads to its ready endpoints.
//
// It works on demand. It watches nothing before the first query for a name. It listens on
// a cluster IP after the first query for that name: without a query, the IP refuses
// connections. It does not support UDP, ExternalName, session affinity, SRV records or
// names outside the cluster. test/lab starts it; test/lab/node tells pods its address.
package service
