package darknet

import "strings"

// COCONames are the 80 classes of the COCO detection task in the order all
// YOLO models trained on it use (Darknet data/coco.names): person is 0,
// bicycle 1, car 2, traffic light 9, dog 16. Each call gives a fresh slice.
func COCONames() []string {
	return strings.Split("person,bicycle,car,motorbike,aeroplane,bus,train,truck,boat,traffic light,"+
		"fire hydrant,stop sign,parking meter,bench,bird,cat,dog,horse,sheep,cow,"+
		"elephant,bear,zebra,giraffe,backpack,umbrella,handbag,tie,suitcase,frisbee,"+
		"skis,snowboard,sports ball,kite,baseball bat,baseball glove,skateboard,surfboard,tennis racket,bottle,"+
		"wine glass,cup,fork,knife,spoon,bowl,banana,apple,sandwich,orange,"+
		"broccoli,carrot,hot dog,pizza,donut,cake,chair,sofa,pottedplant,bed,"+
		"diningtable,toilet,tvmonitor,laptop,mouse,remote,keyboard,cell phone,microwave,oven,"+
		"toaster,sink,refrigerator,book,clock,vase,scissors,teddy bear,hair drier,toothbrush", ",")
}
