// What the page uses of uPlot, for the type checker.
declare const uPlot: new (options: any, data: any[], place: HTMLElement) => any;
export default uPlot;
