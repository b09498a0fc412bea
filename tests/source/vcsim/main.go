// VMware's own simulator with its standard inventory, for tests: prints its address and the folder of its datastore.
// An argument says how many machines a host and a cluster have, each.
package main

import (
	"crypto/tls"
	"fmt"
	"log"
	"os"
	"strconv"

	"github.com/vmware/govmomi/simulator"
)

func main() {
	model := simulator.VPX()
	model.Machine = 2
	if len(os.Args) > 1 {
		model.Machine, _ = strconv.Atoi(os.Args[1])
	}
	defer model.Remove()
	if err := model.Create(); err != nil {
		log.Fatal(err)
	}
	model.Service.TLS = new(tls.Config)
	server := model.Service.NewServer()
	store := simulator.Map.Any("Datastore").(*simulator.Datastore)
	fmt.Println(server.URL, store.Info.GetDatastoreInfo().Url)
	select {}
}
