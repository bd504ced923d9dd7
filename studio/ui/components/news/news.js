/* Shows nothing: says on that the disk holds something new, so that the poll itself may stay small. */
watch("value", () => trigger("arrived", {}));
