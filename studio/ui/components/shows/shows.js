/* Shows nothing: holds whose page this is, so that every action can carry it. */
